'use strict';
// Errors with a `code`: one of the worker's codes, or of this client's own in `CLIENT_CODES`.

const CLIENT_CODES = Object.freeze([
  'archive_invalid', // the archive of the programs is damaged, or holds what it must not
  'cancelled', // the job was cancelled
  'request_too_long', // the request does not fit into one line of the protocol
  'runtime_unavailable', // there is no archive of the programs that could be installed here
  'spawn_failed', // the program could not be started
  'start_timeout', // the worker was not ready in time
  'step_invalid', // a pipeline does not say which stem the next step takes
  'worker_closed', // the worker was shut down
  'worker_died', // the process ended unexpectedly
  'worker_not_found', // there is no program for this worker
  'worker_silent', // the worker stopped responding, or did not cancel a job in time
]);

/** An error from a worker or from this client. `reply` is the line that reported it, if any. */
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

/** A job was cancelled. Its name is the one that Node.js uses for aborts: `AbortError`. */
class CancelledError extends DSUError {
  constructor(message = 'The job was cancelled.', options = {}) {
    super('cancelled', message, options);
    this.name = 'AbortError';
  }
}

module.exports = { CLIENT_CODES, CancelledError, DSUError };
