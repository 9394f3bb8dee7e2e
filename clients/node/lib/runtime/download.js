'use strict';
// Fetches a file over lines that break: what has arrived is kept and gone on with, and only bytes with the right SHA-256
// are taken for the file.

const { createHash, randomUUID } = require('node:crypto');
const fs = require('node:fs/promises');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { DSUError } = require('../errors');

const PART = '.part';
/** After so many failures in a row, with less than `GAIN_BYTES` in between, it is given up. */
const ATTEMPTS = 6;
const GAIN_BYTES = 1 << 20;
const LARGEST_CHECKSUMS_BYTES = 1 << 20;
const WORTH_ANOTHER_TRY = new Set([408, 416, 425, 429, 500, 502, 503, 504]);

/** The line has broken, which another attempt may mend. */
class Interrupted extends Error {}

/**
 * Download an archive into `folder`, going on with what an earlier download has left there.
 *
 * @param {{url: string, sha256: string, folder: string, name: string, sizeBytes?: number, maxBytes: number}} wanted
 * @param {{fetch: typeof fetch, silenceTimeoutMs: number, retryWaitMs: number, check(): void, signal?: AbortSignal,
 *   onBytes(doneBytes: number, totalBytes: number | null): void}} line
 * @returns {Promise<string>} the path of the file, which is as it should be
 */
async function download(wanted, line) {
  const { url, sha256, folder, name } = wanted;
  const part = await Part.create(path.join(folder, `${name}.${randomUUID()}${PART}`));
  let wrong = false;
  try {
    await adopt(part, folder, name, line.check);
    const adopted = part.size > 0;
    if (part.digest() !== sha256) await keepTrying(url, part, line, () => receive(part, wanted, line));
    // What was there before may have been of another file: then once more, from the start.
    if (part.digest() !== sha256 && adopted) {
      await part.restart();
      await keepTrying(url, part, line, () => receive(part, wanted, line));
    }
    if (part.digest() !== sha256) {
      wrong = true;
      const found = `${part.digest()} (${part.size} bytes)`;
      throw new DSUError('checksum_mismatch', `${url} should have the SHA-256 ${sha256}, and has ${found}. It was not used.`);
    }
  } finally {
    await part.close();
    if (wrong || (part.size === 0 && part.digest() !== sha256)) await fs.rm(part.file, { force: true });
  }
  return part.file;
}

/** The text at a URL, of a size that a file of checksums may have. */
async function fetchText(url, line) {
  const chunks = [];
  const text = { size: 0 };
  await keepTrying(url, text, line, async () => {
    [text.size, chunks.length] = [0, 0];
    const connection = new Connection(line);
    try {
      const response = await connection.open(url, {});
      refuse(url, response);
      for await (const chunk of connection.chunks(response)) {
        text.size += chunk.length;
        if (text.size > LARGEST_CHECKSUMS_BYTES) throw new DSUError('download_failed', `${url} is too large for checksums.`);
        chunks.push(chunk);
      }
    } finally {
      connection.close();
    }
  });
  return Buffer.concat(chunks).toString('utf8');
}

// What has arrived ---------------------------------------------------------------------------------------------------

/** A file that grows, and the hash of what is in it. No other process writes to it. */
class Part {
  #handle;
  #hash = createHash('sha256');

  constructor(file, handle) {
    this.file = file;
    this.#handle = handle;
    this.size = 0;
  }

  static async create(file) {
    return new Part(file, await fs.open(file, 'wx'));
  }

  /** @param {Uint8Array} chunk */
  async append(chunk) {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await this.#handle.write(chunk, done, chunk.length - done, this.size + done);
      done += bytesWritten;
    }
    this.#hash.update(chunk);
    this.size += chunk.length;
  }

  async restart() {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.size = 0;
  }

  digest() {
    return this.#hash.copy().digest('hex');
  }

  close() {
    return this.#handle.close();
  }
}

/** Copy the longest of the parts that processes have left which are gone, and remove them. */
async function adopt(part, folder, name, check) {
  const left = (await fs.readdir(folder))
    .filter((file) => file.startsWith(`${name}.`) && file.endsWith(PART))
    .map((file) => path.join(folder, file))
    .filter((file) => file !== part.file);
  const sized = await Promise.all(left.map(async (file) => ({ file, size: (await fs.stat(file)).size })));
  const [longest] = sized.sort((a, b) => b.size - a.size);
  if (longest) {
    const handle = await fs.open(longest.file);
    for await (const chunk of handle.createReadStream({ highWaterMark: 1 << 20 })) {
      check();
      await part.append(chunk);
    }
  }
  for (const file of left) await fs.rm(file, { force: true });
}

// The line -----------------------------------------------------------------------------------------------------------

/** Repeat `attempt` while it is interrupted, with longer and longer breaks; `received.size` tells whether it gets ahead. */
async function keepTrying(url, received, { check, retryWaitMs, signal }, attempt) {
  for (let failures = 0; ; ) {
    check();
    const before = received.size;
    try {
      await attempt();
      return;
    } catch (error) {
      check(); // an abort looks like a broken line
      if (!(error instanceof Interrupted)) throw error;
      failures = received.size - before >= GAIN_BYTES ? 1 : failures + 1;
      if (failures >= ATTEMPTS) {
        const advice = 'What has arrived is kept; try again later.';
        const message = `The download of ${url} was interrupted ${failures} times: ${error.message}. ${advice}`;
        throw new DSUError('download_failed', message, { cause: error.cause });
      }
    }
    await sleep(retryWaitMs * 2 ** (failures - 1), undefined, { signal }).catch(check);
  }
}

/** One attempt: ask for what is missing, and add it to the part. */
async function receive(part, { url, sizeBytes, maxBytes }, line) {
  const connection = new Connection(line);
  try {
    const response = await connection.open(url, part.size > 0 ? { range: `bytes=${part.size}-` } : {});
    if (part.size > 0 && !goesOn(response, part.size)) {
      await part.restart();
      if (response.status === 416) throw new Interrupted('the server has less than there was before');
      if (response.status === 206) throw new Interrupted('the server sent another piece than it was asked for');
    }
    refuse(url, response);
    const total = totalOf(response, part.size);
    if (sizeBytes !== undefined && total !== null && total !== sizeBytes) throw wrongSize(url, sizeBytes, total);
    const most = sizeBytes ?? maxBytes;
    if (total > most) throw tooLarge(url, most);
    for await (const chunk of connection.chunks(response)) {
      if (part.size + chunk.length > most) throw tooLarge(url, most);
      await part.append(chunk);
      line.onBytes(part.size, total ?? sizeBytes ?? null);
    }
    if (part.size < (total ?? sizeBytes ?? 0)) throw new Interrupted('the connection ended too early');
  } finally {
    connection.close();
  }
}

function refuse(url, { ok, status, statusText }) {
  if (ok) return;
  const answer = `${status} ${statusText}`.trim();
  if (WORTH_ANOTHER_TRY.has(status)) throw new Interrupted(`the server answered ${answer}`);
  throw new DSUError('download_failed', `The server answered ${answer} to ${url}.`);
}

/** Whether the answer is the rest of a file of which `size` bytes are there. */
function goesOn({ status, headers }, size) {
  return status === 206 && headers.get('content-range')?.startsWith(`bytes ${size}-`) === true;
}

/** The size of the whole file, if the server says it. A packed answer has another length. */
function totalOf({ status, headers }, before) {
  if (status === 206) return integer(/\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]);
  if (headers.get('content-encoding')) return null;
  return integer(headers.get('content-length'), before);
}

function integer(text) {
  return /^\d+$/.test(text ?? '') ? Number(text) : null;
}

function wrongSize(url, sizeBytes, total) {
  return new DSUError('checksum_mismatch', `${url} should have ${sizeBytes} bytes, and has ${total}. It was not used.`);
}

function tooLarge(url, most) {
  return new DSUError('download_failed', `${url} is larger than the ${most} bytes that it may have.`);
}

/** One request. Whatever goes wrong with it is an interruption, also that nothing comes for too long. */
class Connection {
  #line;
  #controller = new AbortController();
  #abort = () => this.#controller.abort();

  constructor(line) {
    this.#line = line;
    line.signal?.addEventListener('abort', this.#abort, { once: true });
  }

  open(url, headers) {
    const options = { headers: { 'accept-encoding': 'identity', ...headers }, signal: this.#controller.signal };
    return this.#inTime(() => this.#line.fetch(url, options));
  }

  async *chunks(response) {
    if (!response.body) return;
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await this.#inTime(() => reader.read());
      if (done) return;
      yield value;
    }
  }

  close() {
    this.#line.signal?.removeEventListener('abort', this.#abort);
    this.#controller.abort();
  }

  async #inTime(step) {
    const { silenceTimeoutMs } = this.#line;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#controller.abort();
    }, silenceTimeoutMs);
    try {
      return await step();
    } catch (error) {
      const why = late ? `nothing came for ${silenceTimeoutMs} ms` : (error.cause?.message ?? error.message);
      const interruption = new Interrupted(why);
      interruption.cause = error;
      throw interruption;
    } finally {
      clearTimeout(timer);
    }
  }
}

module.exports = { PART, download, fetchText };
