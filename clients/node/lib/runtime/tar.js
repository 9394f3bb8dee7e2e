'use strict';
// Reads tar archives as they stream by: ustar, with the long names of pax and of GNU tar. Refuses whatever else there is.

const { invalid } = require('./tree');

const BLOCK = 512;
/** Of long names and pax records. */
const LONGEST_TEXT_BYTES = 1 << 20;

/** Takes exact numbers of bytes from chunks of any size. */
class Bytes {
  #chunks;
  #rest = Buffer.alloc(0);

  /** @param {AsyncIterable<Buffer>} chunks */
  constructor(chunks) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `size` bytes in pieces. */
  async *pieces(size) {
    for (let left = size; left > 0; ) {
      if (this.#rest.length === 0) await this.#more();
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async take(size) {
    const parts = [];
    for await (const piece of this.pieces(size)) parts.push(piece);
    return Buffer.concat(parts);
  }

  /** Read to the end, which is when a damaged one is noticed. */
  async drain() {
    while (!(await this.#chunks.next()).done);
  }

  async #more() {
    const { done, value } = await this.#chunks.next();
    if (done) throw invalid('it ends in the middle');
    this.#rest = value;
  }
}

/**
 * Unpack a tar archive.
 *
 * @param {AsyncIterable<Buffer>} chunks
 * @param {import('./tree').Tree} tree
 */
async function unpackTar(chunks, tree) {
  const bytes = new Bytes(chunks);
  let next = {}; // what the records before an entry say about it
  for (;;) {
    const block = await bytes.take(BLOCK);
    if (block.every((byte) => byte === 0)) break;
    const header = headerOf(block);
    const text = TEXTS[header.type];
    if (text) {
      if (header.size > LONGEST_TEXT_BYTES) throw invalid(`it has a name of ${header.size} bytes`);
      next = { ...next, ...text(await bytes.take(header.size)) };
    } else {
      await addEntry(tree, { ...header, ...next }, bytes);
      if (next.size !== undefined) header.size = next.size;
      next = {};
    }
    await bytes.take(-header.size & (BLOCK - 1));
  }
  await bytes.drain();
}

async function addEntry(tree, { name, type, size, target, executable }, bytes) {
  const kind = type === '0' && name.endsWith('/') ? '5' : type;
  if (kind !== '0' && size !== 0) throw invalid(`${name} is no file and has ${size} bytes`);
  if (kind === '0') await tree.addFile(name, executable, bytes.pieces(size));
  else if (kind === '1') await tree.addHardLink(name, target);
  else if (kind === '2') await tree.addLink(name, target);
  else if (kind === '5') await tree.addDirectory(name);
  else throw invalid(`${name} is neither a file nor a directory nor a link`);
}

// Headers ------------------------------------------------------------------------------------------------------------

function headerOf(block) {
  const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 0x20 : byte), 0);
  if (number(block.subarray(148, 156)) !== sum) throw invalid('a header in it is damaged');
  const ustar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = ustar ? text(block.subarray(345, 500)) : '';
  const name = text(block.subarray(0, 100));
  const type = String.fromCharCode(block[156] || 0x30);
  return {
    name: prefix ? `${prefix}/${name}` : name,
    type: type === '7' ? '0' : type,
    size: number(block.subarray(124, 136)),
    target: text(block.subarray(157, 257)),
    executable: (number(block.subarray(100, 108)) & 0o111) !== 0,
  };
}

/** An octal number; GNU tar writes large ones as bytes after a first one of 128. */
function number(field) {
  const digits = field.toString('latin1').replace(/[\0 ]+$/, '').trimStart();
  let value = /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
  if (field[0] === 0x80) value = Number(BigInt(`0x${field.subarray(1).toString('hex')}`));
  if (!Number.isSafeInteger(value)) throw invalid('a number in a header is damaged');
  return value;
}

function text(field) {
  const end = field.indexOf(0);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(end < 0 ? field : field.subarray(0, end));
  } catch (error) {
    throw invalid('a name in it is not UTF-8', error);
  }
}

// Records before an entry --------------------------------------------------------------------------------------------

const TEXTS = {
  L: (data) => ({ name: text(data) }),
  K: (data) => ({ target: text(data) }),
  g: () => ({}), // about all entries: comments
  x: paxRecords,
};

/** Records of the form `LENGTH KEY=VALUE\n`, of which those count that the header has no room for. */
function paxRecords(data) {
  const found = {};
  for (let start = 0; start < data.length; ) {
    const space = data.indexOf(0x20, start);
    const length = Number(data.toString('latin1', start, Math.max(space, start)));
    const equals = data.indexOf(0x3d, start);
    const end = start + length;
    if (!(Number.isSafeInteger(length) && space < equals && equals < end && data[end - 1] === 0x0a)) {
      throw invalid('a record in it is damaged');
    }
    const key = data.toString('latin1', space + 1, equals);
    const value = data.subarray(equals + 1, end - 1);
    if (key === 'path') found.name = text(value);
    if (key === 'linkpath') found.target = text(value);
    if (key === 'size') found.size = sizeOf(value);
    if (key.startsWith('GNU.sparse')) throw invalid('it has a file with holes');
    start = end;
  }
  return found;
}

function sizeOf(value) {
  const digits = value.toString('latin1');
  const size = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
  if (Number.isNaN(size)) throw invalid('a record in it is damaged');
  return size;
}

module.exports = { unpackTar };
