'use strict';
// One worker of each kind, started when it is needed and ended when it is not. Jobs of one model run one after another.

const { closeOnSignals } = require('./cleanup');
const { CancelledError, DSUError } = require('./errors');
const { kindOf } = require('./locate');
const { runPipeline } = require('./pipeline');
const { isJob } = require('./requests');
const { DSUWorker } = require('./worker');

const DEFAULTS = Object.freeze({ idleTimeoutMs: 300_000, maxPassedOver: 16, handleSignals: true });

/** What tells whether two jobs use the same model. */
function modelKey({ cmd, model, model_path: modelPath, ensemble }) {
  return JSON.stringify([cmd === 'apollo' || cmd === 'load_apollo', model ?? modelPath ?? null, ensemble ?? null]);
}

/** The jobs of one kind of worker, and the worker while it lives. */
class Lane {
  #create;
  #options;
  #waiting = [];
  #running = false;
  #lastKey = null;
  #idle = null;
  /** Shut down for want of work; on its way out. */
  #leaving = new Set();

  constructor(create, options) {
    this.#create = create;
    this.#options = options;
    this.current = null;
  }

  get queued() {
    return this.#waiting.length;
  }

  worker() {
    if (!this.current || this.current.closed) this.current = this.#create();
    this.#startIdling();
    return this.current;
  }

  run(request, options) {
    return new Promise((resolve, reject) => {
      const job = { request, options, key: modelKey(request), passedOver: 0, resolve, reject };
      this.#waiting.push(job);
      this.#dropOnAbort(job);
      this.#next();
    });
  }

  /** @param {object} how as of `DSUWorker.shutdown` */
  async close(how) {
    clearTimeout(this.#idle);
    if (!how.drain) this.refuse();
    await Promise.all([...this.#leaving, this.#drained(how)]);
    await this.current?.shutdown(how);
  }

  refuse() {
    for (const job of this.#waiting.splice(0)) job.reject(closedError());
  }

  #drained({ drain }) {
    if (!drain || (this.#waiting.length === 0 && !this.#running)) return null;
    return new Promise((resolve) => (this.onDrained = resolve));
  }

  #dropOnAbort(job) {
    const { signal } = job.options;
    if (!signal) return;
    const drop = () => {
      const index = this.#waiting.indexOf(job);
      if (index < 0) return; // it runs, and the worker is told
      this.#waiting.splice(index, 1);
      job.reject(new CancelledError(undefined, { cause: signal.reason }));
    };
    if (signal.aborted) drop();
    else signal.addEventListener('abort', drop, { once: true });
    job.stopListening = () => signal.removeEventListener('abort', drop);
  }

  async #next() {
    if (this.#running) return;
    const job = this.#choose();
    if (!job) {
      this.onDrained?.();
      this.#startIdling();
      return;
    }
    this.#running = true;
    job.stopListening?.();
    this.#lastKey = job.key;
    try {
      job.resolve(await this.worker().send(job.request, job.options));
    } catch (error) {
      job.reject(error);
    } finally {
      this.#running = false;
      this.#next();
    }
  }

  /** A job of the model that is loaded goes before older ones of others, but not for ever. */
  #choose() {
    const { maxPassedOver } = this.#options;
    const tired = this.#waiting.findIndex((job) => job.passedOver >= maxPassedOver);
    const same = this.#waiting.findIndex((job) => job.key === this.#lastKey);
    const index = Math.max(tired >= 0 ? tired : same, 0);
    for (const job of this.#waiting.slice(0, index)) job.passedOver += 1;
    return this.#waiting.splice(index, 1)[0];
  }

  #startIdling() {
    clearTimeout(this.#idle);
    const { idleTimeoutMs } = this.#options;
    if (!(idleTimeoutMs > 0 && Number.isFinite(idleTimeoutMs))) return;
    this.#idle = setTimeout(() => this.#retire(), idleTimeoutMs);
    this.#idle.unref(); // nobody waits for this
  }

  #retire() {
    if (this.#running || this.current?.busy) {
      this.#startIdling();
      return;
    }
    const leaving = this.current?.shutdown();
    this.current = null;
    if (!leaving) return;
    this.#leaving.add(leaving);
    leaving.finally(() => this.#leaving.delete(leaving));
  }
}

function closedError() {
  return new DSUError('worker_closed', 'The pool was shut down. Make a new one.');
}

class WorkerPool {
  #lanes = new Map();
  #options;
  #closed = false;
  #stopListening = () => {};

  /**
   * @param {object} options those of DSUWorker for all workers, `workers` with some for single kinds, and
   *   `idleTimeoutMs`, `maxPassedOver`, `handleSignals`
   */
  constructor(options = {}) {
    this.#options = { ...DEFAULTS, ...options };
    if (this.#options.handleSignals) this.#stopListening = closeOnSignals(() => this.shutdown());
  }

  /** The worker of a kind; it starts with its first request. */
  worker(kind) {
    return this.#lane(kind).worker();
  }

  /** As `worker`, but ready. */
  async startWorker(kind) {
    const worker = this.worker(kind);
    await worker.start();
    return worker;
  }

  /** Jobs of one kind run one at a time, those of one model together; other commands are sent at once. */
  async run(kind, request, options = {}) {
    const lane = this.#lane(kind);
    return isJob(request) ? lane.run(request, options) : lane.worker().send(request, options);
  }

  separate(kind, fields, options) {
    return this.run(kind, { ...fields, cmd: 'separate' }, options);
  }

  /** A song through several models; see `runPipeline`. */
  async pipeline(steps, options) {
    return runPipeline((kind, request, how) => this.run(kind, request, how), steps, options);
  }

  /** What there is: the process and the number of waiting jobs of each kind. */
  stats() {
    const rows = [...this.#lanes].map(([kind, lane]) => [
      kind,
      { pid: lane.current?.pid ?? null, busy: lane.current?.busy ?? false, queued: lane.queued },
    ]);
    return Object.fromEntries(rows);
  }

  /**
   * End all workers. Their jobs are cancelled, or with `drain` finished first.
   *
   * @returns {Promise<void>} when all processes are gone
   */
  async shutdown({ drain = false } = {}) {
    this.#closed = true;
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close({ drain })));
    this.#stopListening();
  }

  #lane(name) {
    if (this.#closed) throw closedError();
    const kind = kindOf(name) ?? name;
    if (!this.#lanes.has(kind)) {
      const { idleTimeoutMs, maxPassedOver, handleSignals, workers, ...shared } = this.#options;
      const own = { restart: true, ...shared, ...workers?.[kind] };
      this.#lanes.set(kind, new Lane(() => new DSUWorker(kind, own), this.#options));
    }
    return this.#lanes.get(kind);
  }
}

module.exports = { WorkerPool };
