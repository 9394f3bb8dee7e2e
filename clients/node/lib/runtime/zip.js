'use strict';
// Reads zip archives by their directory: stored and deflated files, also those beyond 4 GiB. Refuses whatever else there is.

const fs = require('node:fs/promises');
const { pipeline } = require('node:stream/promises');
const zlib = require('node:zlib');
const { invalid } = require('./tree');

const END = { signature: 0x06054b50, size: 22 };
const LARGE_LOCATOR = { signature: 0x07064b50, size: 20 };
const LARGE_END = { signature: 0x06064b50, size: 56 };
const ENTRY = { signature: 0x02014b50, size: 46 };
const LOCAL = { signature: 0x04034b50, size: 30 };
const LONGEST_COMMENT_BYTES = 0xffff;
const LARGEST_DIRECTORY_BYTES = 64 << 20;
const ELSEWHERE = 0xffffffff; // the number is in the extra field, as it needs eight bytes
const UNIX = 3;
const [ENCRYPTED, UTF8] = [0x0001, 0x0800];
const [STORED, DEFLATED] = [0, 8];

/**
 * Unpack a zip archive.
 *
 * @param {string} file
 * @param {import('./tree').Tree} tree
 * @param {(doneBytes: number) => void} onRead called with how much of the archive has been read
 */
async function unpackZip(file, tree, onRead) {
  const handle = await fs.open(file);
  try {
    let done = 0;
    for (const entry of await directoryOf(handle)) {
      if (entry.name.endsWith('/')) await tree.addDirectory(entry.name);
      else await tree.addFile(entry.name, entry.executable, contentOf(handle, entry, tree));
      done += entry.packedBytes;
      onRead(done);
    }
  } finally {
    await handle.close();
  }
}

/** The bytes of a file, no more and no fewer than the directory says. */
async function* contentOf(handle, { name, method, packedBytes, bytes, offset }, tree) {
  const local = await read(handle, offset, LOCAL);
  const start = offset + LOCAL.size + local.readUInt16LE(26) + local.readUInt16LE(28);
  const packed = packedBytes > 0 ? handle.createReadStream({ start, end: start + packedBytes - 1, autoClose: false }) : [];
  let left = bytes;
  for await (const chunk of method === DEFLATED ? inflated(packed) : packed) {
    tree.spend(chunk.length);
    left -= chunk.length;
    if (left < 0) break;
    yield chunk;
  }
  if (left !== 0) throw invalid(`${name} has another size than it says`);
}

async function* inflated(packed) {
  const inflate = zlib.createInflateRaw();
  const feeding = pipeline(packed, inflate);
  feeding.catch(() => {}); // reading from `inflate` fails with the same error
  yield* inflate;
  await feeding;
}

// The directory ------------------------------------------------------------------------------------------------------

async function directoryOf(handle) {
  const { count, size, offset } = await endOf(handle);
  if (size > LARGEST_DIRECTORY_BYTES) throw invalid(`its directory has ${size} bytes`);
  const data = await readBytes(handle, offset, size);
  const entries = [];
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    if (at + ENTRY.size > size || data.readUInt32LE(at) !== ENTRY.signature) throw invalid('its directory is damaged');
    const lengths = [28, 30, 32].map((field) => data.readUInt16LE(at + field)); // of the name, the extra field, the comment
    const end = at + ENTRY.size + lengths[0] + lengths[1] + lengths[2];
    if (end > size) throw invalid('its directory is damaged');
    entries.push(entryOf(data.subarray(at, end), lengths));
    at = end;
  }
  return entries;
}

function entryOf(data, [nameBytes, extraBytes]) {
  const name = nameOf(data.subarray(ENTRY.size, ENTRY.size + nameBytes), data.readUInt16LE(8));
  const extra = data.subarray(ENTRY.size + nameBytes, ENTRY.size + nameBytes + extraBytes);
  const [bytes, packedBytes, offset] = largeNumbers([24, 20, 42].map((field) => data.readUInt32LE(field)), extra);
  const method = data.readUInt16LE(10);
  if (data.readUInt16LE(8) & ENCRYPTED || ![STORED, DEFLATED].includes(method)) {
    throw invalid(`${name} is encrypted or packed in an unusual way`);
  }
  const mode = data[5] === UNIX ? data.readUInt16LE(40) : 0;
  const kind = mode & 0o170000;
  if (![0, 0o100000, 0o040000].includes(kind)) throw invalid(`${name} is neither a file nor a directory`);
  return { name, method, packedBytes, bytes, offset, executable: (mode & 0o111) !== 0 };
}

function nameOf(data, flags) {
  try {
    if (flags & UTF8) return new TextDecoder('utf-8', { fatal: true }).decode(data);
  } catch (error) {
    throw invalid('a name in it is not UTF-8', error);
  }
  if (data.some((byte) => byte > 0x7f)) throw invalid('a name in it is not UTF-8');
  return data.toString('latin1');
}

/** Numbers that are too large for four bytes stand in the extra field, in the same order. */
function largeNumbers(numbers, extra) {
  if (!numbers.includes(ELSEWHERE)) return numbers;
  let at = 0;
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2);
  const large = extra.subarray(at + 4, at + 4 + (at + 4 <= extra.length ? extra.readUInt16LE(at + 2) : 0));
  let next = 0;
  return numbers.map((value) => {
    if (value !== ELSEWHERE) return value;
    if (next + 8 > large.length) throw invalid('its directory is damaged');
    next += 8;
    return safe(large.readBigUInt64LE(next - 8));
  });
}

/** Where the directory is, which the last bytes of an archive tell. */
async function endOf(handle) {
  const { size } = await handle.stat();
  const start = Math.max(size - END.size - LONGEST_COMMENT_BYTES, 0);
  const tail = await readBytes(handle, start, size - start);
  const at = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'), tail.length - END.size);
  if (at < 0) throw invalid('it is no zip archive');
  const end = { count: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16) };
  if (end.count !== 0xffff && end.size !== ELSEWHERE && end.offset !== ELSEWHERE) return end;
  const locator = await read(handle, start + at - LARGE_LOCATOR.size, LARGE_LOCATOR);
  const large = await read(handle, safe(locator.readBigUInt64LE(8)), LARGE_END);
  const [count, bytes, offset] = [32, 40, 48].map((field) => safe(large.readBigUInt64LE(field)));
  return { count, size: bytes, offset };
}

async function read(handle, position, { signature, size }) {
  const data = await readBytes(handle, position, size);
  if (data.readUInt32LE(0) !== signature) throw invalid('its directory is damaged');
  return data;
}

async function readBytes(handle, position, size) {
  const data = Buffer.alloc(size);
  const { bytesRead } = position < 0 ? { bytesRead: -1 } : await handle.read(data, 0, size, position);
  if (bytesRead !== size) throw invalid('it ends in the middle');
  return data;
}

function safe(value) {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('its directory is damaged');
  return Number(value);
}

module.exports = { unpackZip };
