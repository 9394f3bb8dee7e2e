'use strict';
// Bytes in, whole lines out. Chunks may end anywhere, even within a character.

const LINE_FEED = 0x0a;

/** Collects chunks into lines. A line longer than `maxBytes` is dropped, and its start is reported once. */
class LineReader {
  #parts = [];
  #size = 0;
  #dropping = false;

  /**
   * @param {(line: string) => void} onLine each line without its line ending; blank lines are skipped
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

  /** The stream has ended; the rest is a line too. */
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

/** A line of the protocol as an object, or null for any other output. */
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
