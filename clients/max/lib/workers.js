'use strict';
// The worker processes: started with the patch's settings when needed, reported to the patch, and ended together.

class Workers {
  #WorkerPool;
  #base;
  #say;
  #settings = {};
  #pool = null;
  /** Shutdowns in progress. */
  #ending = Promise.resolve();
  #listened = new WeakSet();

  /**
   * @param {typeof import('dsu-client').WorkerPool} WorkerPool
   * @param {object} base options for all pools
   * @param {(...atoms: Array<string | number>) => void} say sends a message to the patch
   */
  constructor(WorkerPool, base, say) {
    this.#WorkerPool = WorkerPool;
    this.#base = base;
    this.#say = say;
  }

  get settings() {
    return this.#settings;
  }

  /** Options for workers that start from now on; idle workers with the previous options are ended. */
  configure(change) {
    this.#settings = { ...this.#settings, ...change };
    this.stop();
  }

  async start(kind) {
    await this.worker(kind).start();
  }

  /** The worker of a kind. Its process starts with its first request. */
  worker(kind) {
    // In a patch, a loaded model should stay until `stop`.
    this.#pool ??= new this.#WorkerPool({ idleTimeoutMs: 0, ...this.#base, ...this.#settings });
    const worker = this.#pool.worker(kind);
    if (!this.#listened.has(worker)) this.#listen(worker, kind);
    return worker;
  }

  run(kind, request, options) {
    this.worker(kind);
    return this.#pool.run(kind, request, options);
  }

  pipeline(steps, options) {
    for (const { worker } of steps) this.worker(worker);
    return this.#pool.pipeline(steps, options);
  }

  /** The kinds with a running process. */
  running() {
    const rows = Object.entries(this.#pool?.stats() ?? {});
    return rows.filter(([, { pid }]) => pid !== null).map(([kind]) => kind);
  }

  /** End all workers. @returns {Promise<void>} when every process is gone */
  stop() {
    const pool = this.#pool;
    this.#pool = null;
    this.#ending = Promise.all([this.#ending, pool?.shutdown()]);
    return this.#ending;
  }

  #listen(worker, kind) {
    this.#listened.add(worker);
    worker.on('loading', () => this.#say('state', 'starting', kind));
    worker.on('ready', ({ device }) => this.#say('state', 'ready', kind, device));
    worker.on('exit', () => this.#say('state', 'stopped', kind));
    worker.on('restart', ({ message }) => this.#say('warning', `${message} It is being restarted.`));
    worker.on('junk', (text) => this.#say('log', kind, text));
    worker.on('stderr', (text) => this.#say('log', kind, text.trim()));
  }
}

module.exports = { Workers };
