'use strict';
// One worker of each kind, started when needed and ended when idle. Jobs that use the same model run one after another, on each
// of its devices.

const { closeOnSignals } = require('./cleanup');
const { CancelledError, DSUError } = require('./errors');
const { kindOf } = require('./locate');
const { runPipeline } = require('./pipeline');
const { isJob } = require('./requests');
const { DSUWorker } = require('./worker');

const DEFAULTS = Object.freeze({ idleTimeoutMs: 300_000, maxPassedOver: 16, handleSignals: true });

/** Equal for jobs that use the same model. */
function modelKey({ cmd, model, model_path: modelPath, ensemble }) {
  return JSON.stringify([cmd === 'apollo' || cmd === 'load_apollo', model ?? modelPath ?? null, ensemble ?? null]);
}

/** The jobs of one kind of worker, and the worker while it lives. */
class Lane {
  #create;
  #options;
  #atOnce;
  #waiting = [];
  #running = 0;
  /** The model of the job that ended last: it is loaded on a device that is free. */
  #lastKey = null;
  #idle = null;
  /** Shutdowns of idle workers in progress. */
  #leaving = new Set();

  /**
   * @param {() => DSUWorker} create
   * @param {object} options those of the pool
   * @param {number} atOnce how many jobs the worker can do at the same time
   */
  constructor(create, options, atOnce) {
    this.#create = create;
    this.#options = options;
    this.#atOnce = atOnce;
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

  /** @param {object} how the options of `DSUWorker.shutdown` */
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
    if (!drain || (this.#waiting.length === 0 && this.#running === 0)) return null;
    return new Promise((resolve) => (this.onDrained = resolve));
  }

  #dropOnAbort(job) {
    const { signal } = job.options;
    if (!signal) return;
    const drop = () => {
      const index = this.#waiting.indexOf(job);
      if (index < 0) return; // it is running, so the worker cancels it
      this.#waiting.splice(index, 1);
      job.reject(new CancelledError(undefined, { cause: signal.reason }));
    };
    if (signal.aborted) drop();
    else signal.addEventListener('abort', drop, { once: true });
    job.stopListening = () => signal.removeEventListener('abort', drop);
  }

  #next() {
    while (this.#running < this.#atOnce) {
      const job = this.#choose();
      if (!job) break;
      this.#do(job);
    }
    if (this.#running > 0) return;
    this.onDrained?.();
    this.#startIdling();
  }

  async #do(job) {
    this.#running += 1;
    job.stopListening?.();
    try {
      job.resolve(await this.worker().send(job.request, job.options));
    } catch (error) {
      job.reject(error);
    } finally {
      this.#running -= 1;
      this.#lastKey = job.key;
      this.#next();
    }
  }

  /** A job that uses the loaded model goes before older jobs of other models, up to a limit. */
  #choose() {
    const { maxPassedOver } = this.#options;
    const overdue = this.#waiting.findIndex((job) => job.passedOver >= maxPassedOver);
    const same = this.#waiting.findIndex((job) => job.key === this.#lastKey);
    const index = Math.max(overdue >= 0 ? overdue : same, 0);
    for (const job of this.#waiting.slice(0, index)) job.passedOver += 1;
    return this.#waiting.splice(index, 1)[0];
  }

  #startIdling() {
    clearTimeout(this.#idle);
    const { idleTimeoutMs } = this.#options;
    if (!(idleTimeoutMs > 0 && Number.isFinite(idleTimeoutMs))) return;
    this.#idle = setTimeout(() => this.#retire(), idleTimeoutMs);
    this.#idle.unref(); // it does not keep the program alive
  }

  #retire() {
    if (this.#running > 0 || this.current?.busy) {
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
  return new DSUError('worker_closed', 'The pool was shut down. Create a new one.');
}

class WorkerPool {
  #lanes = new Map();
  #options;
  #closed = false;
  #stopListening = () => {};

  /**
   * @param {object} options those of DSUWorker for all workers, `workers` with options for single kinds, and
   *   `idleTimeoutMs`, `maxPassedOver`, `handleSignals`
   */
  constructor(options = {}) {
    this.#options = { ...DEFAULTS, ...options };
    if (this.#options.handleSignals) this.#stopListening = closeOnSignals(() => this.shutdown());
  }

  /** The worker of a kind. It starts with its first request. */
  worker(kind) {
    return this.#lane(kind).worker();
  }

  /** The worker of a kind, once it is ready. */
  async startWorker(kind) {
    const worker = this.worker(kind);
    await worker.start();
    return worker;
  }

  /** Jobs of one kind run one at a time, or one on each of its `devices`, grouped by model; other commands are sent at once. */
  async run(kind, request, options = {}) {
    const lane = this.#lane(kind);
    return isJob(request) ? lane.run(request, options) : lane.worker().send(request, options);
  }

  separate(kind, fields, options) {
    return this.run(kind, { ...fields, cmd: 'separate' }, options);
  }

  /** Send a song through several models; see `runPipeline`. */
  async pipeline(steps, options) {
    return runPipeline((kind, request, how) => this.run(kind, request, how), steps, options);
  }

  /** For each kind: its process, whether it is busy, and the number of waiting jobs. */
  stats() {
    const rows = [...this.#lanes].map(([kind, lane]) => [
      kind,
      { pid: lane.current?.pid ?? null, busy: lane.current?.busy ?? false, queued: lane.queued },
    ]);
    return Object.fromEntries(rows);
  }

  /**
   * End all workers. Their jobs are cancelled, or finished first with `drain`.
   *
   * @returns {Promise<void>} when all processes are gone
   */
  async shutdown({ drain = false } = {}) {
    this.#closed = true;
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close({ drain })));
    this.#stopListening();
  }

  /** For `await using`; see DSUWorker. */
  [Symbol.asyncDispose ?? Symbol('asyncDispose')]() {
    return this.shutdown();
  }

  #lane(name) {
    if (this.#closed) throw closedError();
    const kind = kindOf(name) ?? name;
    if (!this.#lanes.has(kind)) {
      const { idleTimeoutMs, maxPassedOver, handleSignals, workers, ...shared } = this.#options;
      const special = workers?.[kind] ?? {};
      const { device, devices, ...common } = shared;
      const places = 'device' in special || 'devices' in special ? {} : { device, devices };
      const own = { restart: true, ...common, ...places, ...special };
      const atOnce = String(own.devices ?? '').split(',').length;
      this.#lanes.set(kind, new Lane(() => new DSUWorker(kind, own), this.#options, atOnce));
    }
    return this.#lanes.get(kind);
  }
}

module.exports = { WorkerPool };
