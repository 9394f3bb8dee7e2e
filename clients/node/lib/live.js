'use strict';
// Stems as streams while their job runs, and songs as streams: through pipes beside those of the protocol.

const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { randomBytes } = require('node:crypto');
const { Readable } = require('node:stream');
const { DSUError } = require('./errors');

const SAMPLE_BYTES = 4;
const MOST_FRAMES = 32768;

/** A server for one connection of the worker, in a place that only this user may enter. */
class Meeting {
  #server = net.createServer({ pauseOnConnect: true });
  #folder = null;
  #socket = null;
  /** Resolves with the socket, or with null if nobody came. */
  connection;

  async open() {
    if (process.platform === 'win32') this.address = `\\\\.\\pipe\\dsu-client-${randomBytes(16).toString('hex')}`;
    else {
      this.#folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dsu-'));
      this.address = path.join(this.#folder, 'live');
    }
    this.connection = new Promise((resolve) => {
      this.#server.once('connection', (socket) => {
        this.#socket = socket.on('error', () => {}); // the job's own reply says what became of it
        this.#server.close();
        resolve(socket);
      });
      this.#server.once('close', () => resolve(null));
    });
    this.#server.listen(this.address);
    await once(this.#server, 'listening');
    return this;
  }

  close() {
    this.#server.close();
    this.#socket?.destroy();
    if (this.#folder) fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Messages: a line of JSON, then as many bytes as it says. */
async function* messages(socket) {
  let parts = [];
  let size = 0;
  let header = null;
  for await (const chunk of socket) {
    parts.push(chunk);
    size += chunk.length;
    while (header ? size >= header.bytes : parts.at(-1)?.includes(10)) {
      const whole = Buffer.concat(parts, size);
      const end = header ? header.bytes : whole.indexOf(10) + 1;
      const head = whole.subarray(0, end);
      [parts, size] = end < whole.length ? [[whole.subarray(end)], whole.length - end] : [[], 0];
      if (header) {
        yield { header, data: head };
        header = null;
      } else {
        header = JSON.parse(head.toString());
      }
    }
  }
}

/** The samples of one stem, as interleaved 32-bit floats. */
class Stem extends Readable {
  #wanted = null;

  constructor() {
    super({ highWaterMark: MOST_FRAMES * SAMPLE_BYTES * 2 });
    this.on('error', () => {}); // `done` rejects with it too; nobody has to listen twice
  }

  _read() {
    this.#wanted?.();
    this.#wanted = null;
  }

  _destroy(error, callback) {
    this._read();
    callback(error);
  }

  /** Give samples; settles when more are wanted. */
  async give(data) {
    if (this.destroyed || this.push(data)) return;
    await new Promise((resolve) => (this.#wanted = resolve));
  }
}

/** Samples of `rows` by `columns` the other way round: planar ones interleaved, or the reverse. */
function transposed(data, rows, columns) {
  const from = new Uint32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length)); // at whole words
  const to = new Uint32Array(from.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) to[column * rows + row] = from[row * columns + column];
  }
  return Buffer.from(to.buffer);
}

/** Write a song of interleaved 32-bit floats to the worker, at its pace. */
async function feed(song, meeting, channels) {
  const socket = await meeting.connection;
  if (!socket) return;
  const frameBytes = channels * SAMPLE_BYTES;
  const gone = new Promise((resolve) => socket.once('close', resolve));
  const send = (data) => socket.destroyed || socket.write(data) || Promise.race([once(socket, 'drain'), gone]);
  let rest = Buffer.alloc(0);
  for await (const chunk of song) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= frameBytes && !socket.destroyed) {
      const frames = Math.min(Math.floor(rest.length / frameBytes), MOST_FRAMES);
      const data = rest.subarray(0, frames * frameBytes);
      rest = rest.subarray(data.length);
      const planar = transposed(data, frames, channels);
      await send(Buffer.concat([Buffer.from(`${JSON.stringify({ kind: 'frames', frames, bytes: planar.length })}\n`), planar]));
    }
    if (socket.destroyed) return;
  }
  if (rest.length > 0) throw new DSUError('invalid_request', `The song ends with ${rest.length} bytes that are no whole frame.`);
  socket.end('{"kind":"end"}\n');
}

/** Give every stem its samples, at the pace of the slowest of those that are read. */
async function deliver(meeting, begun, abandon) {
  const socket = await meeting.connection;
  if (!socket) return;
  let stems = [];
  let first = null;
  for await (const { header, data } of messages(socket)) {
    if (header.kind === 'begin') {
      first = header;
      stems = header.stems.map(() => new Stem());
      for (const stem of stems) stem.once('close', () => stems.every(({ destroyed }) => destroyed) && abandon());
      begun(header, stems);
    } else if (header.kind === 'frames') {
      const size = first.channels * header.frames * SAMPLE_BYTES;
      await Promise.all(stems.map((stem, index) => {
        const planar = data.subarray(index * size, (index + 1) * size);
        return stem.destroyed ? null : stem.give(transposed(planar, first.channels, header.frames));
      }));
    }
  }
}

/** See `DSUWorker.separateStream`. */
async function separateStream(worker, song, fields, { signal, onLine, onProgress } = {}) {
  const isFile = typeof song === 'string';
  const { sample_rate: sampleRate, channels = 2, frames, name, statistics_s, record_first, ...rest } = fields;
  if (!isFile && !(sampleRate > 0)) throw new DSUError('invalid_request', 'A stream needs its `sample_rate` in Hz.');
  const giving = await new Meeting().open();
  const taking = isFile ? null : await new Meeting().open();
  const abandoned = new AbortController();
  const giveUp = () => abandoned.abort(signal?.reason);
  if (signal?.aborted) giveUp();
  signal?.addEventListener('abort', giveUp, { once: true });
  const close = () => {
    signal?.removeEventListener('abort', giveUp);
    giving.close();
    taking?.close();
  };
  let ready;
  const beginning = new Promise((resolve) => (ready = resolve));
  let streams = [];
  let fault = null;
  let over = false;
  const delivered = deliver(giving, (header, stems) => {
    streams = stems;
    ready(header);
  }, () => over || abandoned.abort());
  delivered.catch(() => {});
  const fed = isFile ? Promise.resolve() : feed(song, taking, channels);
  fed.catch((error) => {
    fault = error;
    abandoned.abort();
  });
  const input = isFile ? song : { pipe: taking.address, sample_rate: sampleRate, channels, frames, name, statistics_s, record_first };
  const request = { ...rest, cmd: 'separate', input, stream: { pipe: giving.address, files: false } };
  const finish = async () => {
    try {
      const done = await worker.send(request, { signal: abandoned.signal, onLine, onProgress });
      await delivered;
      over = true;
      for (const stem of streams) stem.destroyed || stem.push(null);
      return done;
    } catch (error) {
      over = true;
      for (const stem of streams) stem.destroy(fault ?? error);
      throw fault ?? error;
    } finally {
      close();
    }
  };
  const done = finish();
  done.catch(() => {}); // the streams report it as well
  const header = await Promise.race([beginning, done.then(() => beginning)]);
  const stems = Object.fromEntries(header.stems.map((stem, index) => [stem, streams[index]]));
  return { stems, sampleRate: header.sample_rate, channels: header.channels, frames: header.frames, done };
}

module.exports = { separateStream };
