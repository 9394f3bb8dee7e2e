'use strict';
// Bytes in, whole lines out: chunks may end anywhere, also inside a character. Knows nothing of JSON or workers.

const LINE_FEED = 0x0a;

/** Collects chunks until a line is whole. A line longer than `maxBytes` is dropped and reported once, in part. */
class LineReader {
  #parts = [];
  #size = 0;
  #dropping = false;

  /**
   * @param {(line: string) => void} onLine each line, without its end; blank lines are left out
   * @param {{maxBytes: number, onTooLong: (start: string) => void}} limits
   */
  constructor(onLine, { maxBytes, onTooLong }) {
    this.onLine = onLine;
    this.maxBytes = maxBytes;
    this.onTooLong = onTooLong;
  }

  /** @param {Buffer} chunk */
  push(chunk) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#add(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
  }

  /** The stream has ended: what is left is a line too. */
  end() {
    this.#finish();
  }

  #add(part) {
    if (this.#dropping || part.length === 0) return;
    this.#parts.push(part);
    this.#size += part.length;
    if (this.#size > this.maxBytes) {
      const start = Buffer.concat(this.#parts).subarray(0, 200).toString('utf8');
      this.#clear();
      this.#dropping = true;
      this.onTooLong(start);
    }
  }

  #finish() {
    if (!this.#dropping && this.#size > 0) {
      const line = Buffer.concat(this.#parts).toString('utf8').trim();
      this.#clear();
      if (line) this.onLine(line);
    }
    this.#dropping = false;
  }

  #clear() {
    this.#parts = [];
    this.#size = 0;
  }
}

/** A protocol line as an object, or null for anything else that was printed. */
function parseLine(text) {
  if (!text.startsWith('{')) return null;
  try {
    const value = JSON.parse(text);
    return typeof value.status === 'string' ? value : null;
  } catch {
    return null;
  }
}

module.exports = { LineReader, parseLine };
