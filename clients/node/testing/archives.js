'use strict';
// Archives byte by byte, as no tool would write them, and a server that delivers them as badly as a test wants.

const { createHash } = require('node:crypto');
const http = require('node:http');
const zlib = require('node:zlib');

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

// Tar ----------------------------------------------------------------------------------------------------------------

/** One entry: a header and its content. `more` overwrites bytes of the header, by their offset. */
function tarEntry(name, { content = '', type = '0', target = '', mode = 0o644, size, more = {} } = {}) {
  const data = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write(`${(size ?? data.length).toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156);
  header.write(target, 157, 100);
  header.write('ustar\x0000', 257, 'latin1');
  for (const [offset, text] of Object.entries(more)) header.write(text, Number(offset), 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc(-data.length & 511)]);
}

/** A record before an entry, as pax has it. */
function paxEntry(fields) {
  const records = Object.entries(fields).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + String(rest).length;
    if (rest + String(length).length !== length) length += 1;
    return `${length} ${key}=${value}\n`;
  });
  return tarEntry('pax', { type: 'x', content: records.join('') });
}

function tarGz(...entries) {
  return zlib.gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
}

/** What every release has at least: a folder with a program. */
const PROGRAM = Buffer.concat([
  tarEntry('dsu/', { type: '5', mode: 0o755 }),
  tarEntry('dsu/dsu-demucs', { content: '#!/bin/sh\n', mode: 0o755 }),
]);

// Zip ----------------------------------------------------------------------------------------------------------------

/** @param {Array<{name: string, content?: string, mode?: number, stored?: boolean, flags?: number, size?: number}>} files */
function zip(files, { large = false } = {}) {
  const locals = [];
  const rows = [];
  let offset = 0;
  for (const { name, content = '', mode = 0o100644, stored = false, flags = 0x0800, size } of files) {
    const [data, label] = [Buffer.from(content), Buffer.from(name)];
    const packed = stored ? data : zlib.deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(stored ? 0 : 8, 4);
    common.writeUInt32LE(zipNumber(packed.length, large), 14);
    common.writeUInt32LE(zipNumber(size ?? data.length, large), 18);
    common.writeUInt16LE(label.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, label, packed]);
    const extra = large ? zipLarge(size ?? data.length, packed.length, offset) : Buffer.alloc(0);
    common.writeUInt16LE(extra.length, 24);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(zipNumber(offset, large), 10);
    rows.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), common, tail, label, extra]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(rows);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(zipNumber(offset, large), 16);
  const middle = large ? zipLargeEnd(files.length, directory.length, offset) : Buffer.alloc(0);
  return Buffer.concat([...locals, directory, middle, end]);
}

function zipNumber(value, large) {
  return large ? 0xffffffff : value;
}

function zipLarge(...numbers) {
  const extra = Buffer.alloc(4 + 8 * numbers.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * numbers.length, 2);
  numbers.forEach((value, i) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * i));
  return extra;
}

function zipLargeEnd(count, size, offset) {
  const end = Buffer.alloc(76);
  end.write('PK\x06\x06', 'latin1');
  [count, size, offset].forEach((value, i) => end.writeBigUInt64LE(BigInt(value), 32 + 8 * i));
  end.write('PK\x06\x07', 56, 'latin1');
  end.writeBigUInt64LE(BigInt(offset + size), 64);
  return end;
}

// A server -----------------------------------------------------------------------------------------------------------

/**
 * Serves files by name, whole or from where a request asks for. `answers` are used up first, one for each request of an
 * archive: `(response, data, start) => void` with the bytes that are asked for.
 *
 * @param {{after(what: Function): void}} t
 */
async function serve(t, files, answers = []) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const data = files[request.url.slice(1)];
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    requests.push({ path: request.url, start });
    if (data === undefined) response.writeHead(404).end();
    else (answers.shift() ?? whole)(response, Buffer.from(data), start);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  t.after(stop);
  return { base: `http://127.0.0.1:${server.address().port}`, requests, stop };
}

function begin(response, data, start) {
  const size = data.length;
  const range = start > 0 ? { 'content-range': `bytes ${start}-${size - 1}/${size}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': size - start, ...range });
}

function whole(response, data, start) {
  begin(response, data, start);
  response.end(data.subarray(start));
}

/** Send this many bytes and then nothing, as a line does that breaks (`destroy`) or hangs. */
function only(bytes, { destroy = true } = {}) {
  return (response, data, start) => {
    begin(response, data, start);
    response.write(data.subarray(start, start + bytes), () => destroy && response.destroy());
  };
}

module.exports = { PROGRAM, only, paxEntry, serve, sha256, tarEntry, tarGz, zip };
