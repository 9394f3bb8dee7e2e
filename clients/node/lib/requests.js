'use strict';
// A pending request: its line, the lines that end it, and the promise they settle.

const { CancelledError, DSUError } = require('./errors');
const { COMMANDS, EVENTS } = require('./protocol');

// The worker answers longer lines with an error without an id.
const LONGEST_BYTES = 1048576;

/** `{"cmd": …}` as a line of the protocol. */
function encode(request) {
  const text = JSON.stringify(request) + '\n';
  if (Buffer.byteLength(text) > LONGEST_BYTES) {
    const advice = 'Send fewer `inputs` or `jobs` at once.';
    throw new DSUError('request_too_long', `The request is longer than ${LONGEST_BYTES} bytes. ${advice}`);
  }
  return text;
}

function isJob(request) {
  return COMMANDS[request.cmd]?.job ?? false;
}

/** Whether a line with this status ends a request. For commands that are not known here, any line but an event does. */
function isLast(cmd, status) {
  return status === 'error' || (COMMANDS[cmd]?.ends.includes(status) ?? !EVENTS.includes(status));
}

/** One request and its promise, which is settled once. */
class Pending {
  #open = true;
  #onAbort = null;
  #signal;

  /**
   * @param {object} request with its `id`
   * @param {{signal?: AbortSignal, onLine?: (line: object) => void, onProgress?: (line: object) => void}} options
   */
  constructor(request, { signal, onLine, onProgress } = {}) {
    this.request = request;
    this.text = encode(request);
    this.job = isJob(request);
    this.onLine = onLine;
    this.onProgress = onProgress;
    this.#signal = signal;
    this.cancelTimer = null;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get id() {
    return this.request.id;
  }

  get aborted() {
    return this.#signal?.aborted ?? false;
  }

  /** Call `cancel` once if the caller aborts. */
  watch(cancel) {
    if (!this.#signal) return;
    this.#onAbort = cancel;
    this.#signal.addEventListener('abort', cancel, { once: true });
  }

  /** @returns {boolean} whether this was the last line */
  take(line) {
    this.onLine?.(line);
    if (line.status === 'progress' || line.status === 'downloading') this.onProgress?.(line);
    if (!isLast(this.request.cmd, line.status)) return false;
    if (line.status === 'error') this.fail(DSUError.fromReply(line));
    else if (line.status === 'cancelled') this.fail(this.cancelled(line));
    else this.#close(this.resolve, line);
    return true;
  }

  fail(error) {
    this.#close(this.reject, error);
  }

  cancelled(reply = null) {
    return new CancelledError(reply?.message, { reply, cause: this.#signal?.reason });
  }

  #close(settle, value) {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.cancelTimer);
    if (this.#onAbort) this.#signal.removeEventListener('abort', this.#onAbort);
    settle(value);
  }
}

module.exports = { Pending, encode, isJob };
