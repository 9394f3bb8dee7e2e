'use strict';
// Tells a worker that is busy from one that is stuck: whoever is silent for long is asked, and asked only once.

class Watchdog {
  #timer = null;
  #heardAt = 0;
  #asked = false;

  /**
   * @param {number} silenceMs 0 to watch nothing
   * @param {{ask(): void, stuck(): void}} listener `stuck` comes when `ask` brought no line within `silenceMs`
   */
  constructor(silenceMs, listener) {
    this.silenceMs = silenceMs;
    this.listener = listener;
  }

  /** There was a line. */
  heard() {
    this.#heardAt = Date.now();
    this.#asked = false;
  }

  /** Watch from now on, or go on doing so; or stop. */
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
