'use strict';
// One worker, across restarts of its process: requests in, promises out. Also cancels jobs and detects hangs.

const { EventEmitter } = require('node:events');
const { DSUError } = require('./errors');
const { separateStream } = require('./live');
const { findWorker, kindOf } = require('./locate');
const { DEFAULTS, workerArguments } = require('./options');
const { WorkerProcess } = require('./process');
const { METHODS } = require('./protocol');
const { Pending, encode } = require('./requests');
const { Watchdog } = require('./watchdog');

/** The exit status of a worker that has lost its graphics card. */
const LOST_STATUS = 3;

/**
 * Events: `loading`, `ready`, `line` (every line), `progress`, `junk` (text that is not a line of the protocol),
 * `stderr` (text), `restart` (the error that made it necessary), `exit` ({code, signal, expected}).
 */
class DSUWorker extends EventEmitter {
  #process = null;
  #starting = null;
  #ready = null;
  #closing = false;
  /** Settles when the process has been stopped. */
  #stopped = null;
  /** Whether the process was told to end. */
  #leaving = false;
  /** Why the process is gone for good, until `start`. */
  #dead = null;
  /** Why the process is about to end, if its exit status would not say. */
  #fate = null;
  /** In the order sent, which is also the order in which the worker runs jobs. */
  #pending = new Map();
  #cancels = [];
  #nextId = 1;
  #restarts = 0;
  #watchdog;

  /**
   * @param {string} name a kind (`demucs`, `bsroformer`, `audio-separator`, `audiosep`) or the path of an executable
   * @param {object} options see the README
   */
  constructor(name, options = {}) {
    super();
    this.options = { ...DEFAULTS, ...options };
    this.kind = kindOf(name);
    this.#watchdog = new Watchdog(this.options.silenceTimeoutMs, {
      ask: () => this.#process.write(encode({ cmd: 'ping', id: 'dsu-client-watchdog' })),
      stuck: () => this.#end(new DSUError('worker_silent', 'The worker stopped responding, even to `ping`, and was killed.')),
    });
    this.command = [...findWorker(name, options), ...workerArguments(options)];
  }

  /** The id of the process while it runs. */
  get pid() {
    return this.#process?.pid;
  }

  /** The `ready` line while the worker is ready. */
  get readyLine() {
    return this.#ready;
  }

  /** Whether any request is pending. */
  get busy() {
    return this.#pending.size > 0;
  }

  /** Whether it was shut down, told to exit, or has died for good. */
  get closed() {
    return this.#closing || this.#dead !== null;
  }

  // Requests --------------------------------------------------------------------------------------------------------

  /**
   * Start the process unless it is running. The first request does this too; after the worker has died, only this does.
   *
   * @returns {Promise<object>} the `ready` line
   */
  start() {
    if (this.#closing) return Promise.reject(this.#closedError());
    this.#dead = null;
    if (!this.#starting) this.#launch();
    return this.#starting.promise;
  }

  /**
   * Send a request and wait for the line that ends it.
   *
   * @param {object} request `{cmd, …}`; an `id` is added if there is none
   * @param {{signal?: AbortSignal, onLine?: Function, onProgress?: Function}} options
   * @returns {Promise<object>} rejects with a DSUError for `error`, with a CancelledError for `cancelled`
   */
  async send(request, options = {}) {
    if (request.cmd === 'cancel') return this.#requestCancel(request.id);
    if (this.#closing) throw this.#closedError();
    if (this.#dead) throw this.#dead;
    const pending = new Pending({ ...request, id: request.id ?? this.#newId() }, options);
    if (pending.aborted) throw pending.cancelled();
    if (this.#pending.has(pending.id)) {
      throw new DSUError('invalid_request', `Another request with the id ${pending.id} is still pending.`);
    }
    this.#add(pending);
    return pending.promise;
  }

  /**
   * All lines that answer a request, including the last one. Leaving the loop cancels the job.
   *
   * @param {object} request
   * @param {{signal?: AbortSignal}} options
   */
  async *stream(request, { signal } = {}) {
    const abandoned = new AbortController();
    const giveUp = () => abandoned.abort(signal?.reason);
    if (signal?.aborted) giveUp();
    signal?.addEventListener('abort', giveUp, { once: true });
    const lines = [];
    let wake = () => {};
    const done = this.send(request, {
      signal: abandoned.signal,
      onLine: (line) => {
        lines.push(line);
        wake();
      },
    });
    let over = false;
    const end = () => {
      over = true;
      wake();
    };
    done.then(end, end);
    try {
      while (!over || lines.length > 0) {
        if (lines.length > 0) yield lines.shift();
        else await new Promise((resolve) => (wake = resolve));
      }
      await done;
    } finally {
      signal?.removeEventListener('abort', giveUp);
      abandoned.abort();
    }
  }

  /**
   * Separate a song while it is heard: its stems are streams of interleaved 32-bit floats, and the song may be one.
   *
   * @param {string|AsyncIterable<Buffer>} song a file, or samples with their `sample_rate` and `channels` among the fields
   * @param {object} fields those of `separate`
   * @param {{signal?: AbortSignal, onLine?: Function, onProgress?: Function}} options
   * @returns {Promise<{stems: object, sampleRate: number, channels: number, frames: number, done: Promise<object>}>}
   */
  separateStream(song, fields = {}, options = {}) {
    return separateStream(this, song, fields, options);
  }

  /**
   * Cancel the job with this id; without one, the running job or else the next one.
   *
   * @returns {Promise<object>} the `cancel_requested` line
   */
  cancel(id) {
    return this.send({ cmd: 'cancel', id });
  }

  // Ending ----------------------------------------------------------------------------------------------------------

  /**
   * End the worker: `exit`, then SIGTERM, then SIGKILL. Its jobs are cancelled, or finished first with `drain`.
   *
   * @param {{drain?: boolean}} options
   * @returns {Promise<void>} when the process is gone
   */
  shutdown({ drain = false } = {}) {
    this.#closing = true;
    return drain ? this.#drain() : this.#stop(true);
  }

  /** For `await using`. Older versions of Node.js have no such symbol, and nobody asks for it there. */
  [Symbol.asyncDispose ?? Symbol('asyncDispose')]() {
    return this.shutdown();
  }

  /** End the process now. Pending requests fail. */
  kill(signal = 'SIGKILL') {
    this.#closing = true;
    this.#leaving = true;
    this.#process?.kill(signal);
  }

  async #drain() {
    await Promise.allSettled([...this.#pending.values()].map((pending) => pending.promise));
    await this.#stop(false);
  }

  #stop(force) {
    const { exitTimeoutMs: exitMs, termTimeoutMs: termMs } = this.options;
    this.#leaving = true;
    this.#stopped ??= this.#process?.stop(encode({ cmd: 'exit', force }), { exitMs, termMs }) ?? Promise.resolve();
    return this.#stopped;
  }

  #closedError() {
    return new DSUError('worker_closed', 'The worker was shut down. Create a new one.');
  }

  // The process -----------------------------------------------------------------------------------------------------

  #launch() {
    const { cwd, env, maxLineBytes, startTimeoutMs } = this.options;
    this.#starting = deferred();
    this.#starting.promise.catch(() => {}); // callers of `start` and pending requests get the error
    this.#starting.timer = setTimeout(() => {
      this.#end(new DSUError('start_timeout', `The worker was not ready after ${startTimeoutMs} ms.`));
    }, startTimeoutMs);
    this.#process = new WorkerProcess(this.command, { cwd, env: { ...process.env, ...env }, maxLineBytes }, {
      line: (value) => this.#take(value),
      junk: (text) => this.emit('junk', text),
      stderr: (text) => this.emit('stderr', text),
      exit: (how) => this.#gone(how),
    });
  }

  /** End a process that can no longer be used. */
  #end(fate) {
    if (!this.#process) return;
    this.#fate ??= fate;
    this.#process.stop('', { exitMs: 0, termMs: this.options.termTimeoutMs });
  }

  #take(line) {
    this.#watchdog.heard();
    if (line.status === 'loading') this.emit('loading', line);
    if (line.status === 'ready') this.#becomeReady(line);
    if (line.status === 'progress') this.emit('progress', line);
    this.emit('line', line);
    if (line.status === 'cancel_requested') this.#cancelAnswered(line);
    else if (line.id !== undefined) this.#answer(line);
    // Before `ready`, an error without an id says why the worker cannot start.
    else if (line.status === 'error' && !this.#ready) this.#fate ??= DSUError.fromReply(line);
  }

  #becomeReady(line) {
    clearTimeout(this.#starting.timer);
    this.#ready = line;
    this.#starting.resolve(line);
    this.emit('ready', line);
    this.#update();
  }

  #answer(line) {
    const pending = this.#pending.get(line.id);
    if (!pending || !pending.take(line)) return;
    this.#pending.delete(line.id);
    this.#restarts = 0;
    this.#update();
  }

  #gone(how) {
    const wasReady = this.#ready !== null;
    const error = this.#deathError(how);
    const starting = this.#starting;
    clearTimeout(starting.timer);
    this.#watchdog.watch(false);
    [this.#process, this.#starting, this.#ready, this.#fate] = [null, null, null, null];
    starting.reject(error);
    this.#cancels.splice(0).forEach(({ reject }) => reject(error));
    const again = wasReady && !this.#closing && this.options.restart && this.#restarts < this.options.maxRestarts;
    if (!again) {
      this.#dead = error;
      this.#failAll(error, [...this.#pending.values()]);
    }
    this.emit('exit', { code: how.code, signal: how.signal, expected: this.#leaving });
    if (again) this.#restart(error);
  }

  #deathError({ code, signal, error }) {
    if (this.#leaving) return this.#closedError();
    if (this.#fate) return this.#fate;
    if (error) {
      const message = `${this.command[0]} could not be started: ${error.message}.`;
      return new DSUError('spawn_failed', message, { cause: error });
    }
    const how = signal ? `by ${signal}` : `with status ${code}`;
    const stderr = this.#process.stderr.trim();
    const message = `The worker ended ${how} unexpectedly.${stderr ? ` Its last output: ${stderr}` : ''}`;
    return new DSUError('worker_died', message, { exitCode: code, signal, stderr });
  }

  /**
   * The running job may be what ended the worker, so it fails; the jobs queued behind it are sent again. A worker that has lost
   * its graphics card has answered the job in which that happened.
   */
  #restart(error) {
    this.#restarts += 1;
    const waiting = [...this.#pending.values()];
    const first = error.exitCode === LOST_STATUS ? undefined : waiting.find((pending) => pending.job);
    const isLost = (pending) => !pending.job || pending === first || pending.aborted;
    this.#failAll(error, waiting.filter(isLost));
    this.emit('restart', error);
    if (this.#closing || this.#process) return; // a listener has shut it down or started it
    this.#launch();
    for (const pending of this.#pending.values()) this.#process.write(pending.text);
    this.#update();
  }

  #failAll(error, lost) {
    for (const pending of lost) {
      this.#pending.delete(pending.id);
      pending.fail(pending.aborted ? pending.cancelled() : error);
    }
  }

  // Bookkeeping -----------------------------------------------------------------------------------------------------

  #newId() {
    let id;
    do id = `${this.#nextId++}`;
    while (this.#pending.has(id));
    return id;
  }

  #add(pending) {
    if (!this.#starting) this.#launch();
    this.#pending.set(pending.id, pending);
    if (pending.request.cmd === 'exit') [this.#closing, this.#leaving] = [true, true];
    pending.watch(() => this.#giveUp(pending));
    this.#process.write(pending.text);
    this.#update();
  }

  /** The caller has aborted. A job still answers once it has ended; a worker that does not cancel it is killed. */
  #giveUp(pending) {
    if (!pending.job) {
      this.#pending.delete(pending.id);
      pending.fail(pending.cancelled());
      this.#update();
      return;
    }
    const { cancelTimeoutMs } = this.options;
    const message = `The worker did not cancel a job within ${cancelTimeoutMs} ms and was killed.`;
    const isLate = () => this.#end(new DSUError('worker_silent', message));
    // A worker that is still starting has not begun the job, so it may take its time.
    if (this.#ready) pending.cancelTimer = setTimeout(isLate, cancelTimeoutMs);
    this.#requestCancel(pending.id).catch(() => {}); // the job's own reply reports the outcome
  }

  /** The answer to `cancel` has the id of the job to cancel, so `cancel` is not handled like other requests. */
  #requestCancel(id) {
    return new Promise((resolve, reject) => {
      if (!this.#process) {
        resolve({ status: 'cancel_requested', found: false });
        return;
      }
      this.#cancels.push({ id, resolve, reject });
      this.#process.write(encode({ cmd: 'cancel', id }));
      this.#update();
    });
  }

  #cancelAnswered(line) {
    const index = this.#cancels.findIndex(({ id }) => id === line.id);
    if (index < 0) return;
    this.#cancels.splice(index, 1)[0].resolve(line);
    this.#update();
  }

  /** While a request is pending, keep the program alive and watch the worker. An idle worker does neither. */
  #update() {
    const waiting = this.#pending.size > 0 || this.#cancels.length > 0 || !this.#ready;
    this.#process?.hold(waiting || this.#leaving);
    this.#watchdog.watch(this.#ready !== null && waiting);
  }
}

/** A promise with its `resolve` and `reject`. */
function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

// `worker.loadModel(fields, options)` sends `load_model`, and likewise for every command.
for (const [method, cmd] of Object.entries(METHODS)) {
  Object.defineProperty(DSUWorker.prototype, method, {
    configurable: true,
    writable: true,
    value(fields = {}, options = {}) {
      return this.send({ ...fields, cmd }, options);
    },
  });
}

/** Start a worker and wait until it is ready. */
async function startWorker(name, options = {}) {
  const worker = new DSUWorker(name, options);
  await worker.start();
  return worker;
}

module.exports = { DSUWorker, startWorker };
