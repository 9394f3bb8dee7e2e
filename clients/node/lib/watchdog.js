'use strict';
// Distinguishes a busy worker from one that hangs: after a long silence it asks once, and expects an answer.

class Watchdog {
  #timer = null;
  #heardAt = 0;
  #asked = false;

  /**
   * @param {number} silenceMs 0 turns the watchdog off
   * @param {{ask(): void, stuck(): void}} listener `stuck` is called if no line follows `ask` within `silenceMs`
   */
  constructor(silenceMs, listener) {
    this.silenceMs = silenceMs;
    this.listener = listener;
  }

  /** A line has arrived. */
  heard() {
    this.#heardAt = Date.now();
    this.#asked = false;
  }

  /** Start or go on watching, or stop. */
  watch(wanted) {
    if (!wanted) {
      clearTimeout(this.#timer);
      this.#timer = null;
    } else if (!this.#timer && this.silenceMs > 0) {
      this.heard();
      this.#wait(this.silenceMs);
    }
  }

  #wait(ms) {
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look() {
    const leftMs = this.#heardAt + this.silenceMs - Date.now();
    if (leftMs > 0) {
      this.#wait(leftMs);
    } else if (this.#asked) {
      this.watch(false);
      this.listener.stuck();
    } else {
      this.#asked = true;
      this.#heardAt = Date.now();
      this.#wait(this.silenceMs);
      this.listener.ask();
    }
  }
}

module.exports = { Watchdog };
