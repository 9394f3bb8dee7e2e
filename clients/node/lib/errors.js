'use strict';
// What can go wrong, as errors with a `code`: a worker's own codes, and those of this client in `CLIENT_CODES`.

const CLIENT_CODES = Object.freeze([
  'cancelled', // the job was cancelled
  'request_too_long', // the request does not fit into one line of the protocol
  'spawn_failed', // the program could not be started
  'start_timeout', // the worker did not get ready in time
  'step_invalid', // a pipeline does not say which stem goes on
  'worker_closed', // the worker was shut down
  'worker_died', // the process ended without being asked to
  'worker_not_found', // there is no program for this worker
  'worker_silent', // the worker did not even answer `ping`
]);

/** An error that a worker sent, or that this client found. `reply` is the line it came with, if any. */
class DSUError extends Error {
  constructor(code, message, { reply = null, cause, ...details } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DSUError';
    this.code = code;
    this.reply = reply;
    Object.assign(this, details);
  }

  /** The error of a line with the status `error`. */
  static fromReply(reply) {
    const { hint, suggestions, field } = reply;
    const message = reply.message || 'The worker reported an error without a message.';
    return new DSUError(reply.code || 'internal', message, { reply, hint, suggestions, field });
  }
}

/** A job that was cancelled. It is named as the platform names it, so that `error.name === 'AbortError'` holds. */
class CancelledError extends DSUError {
  constructor(message = 'The job was cancelled.', options = {}) {
    super('cancelled', message, options);
    this.name = 'AbortError';
  }
}

module.exports = { CLIENT_CODES, CancelledError, DSUError };
