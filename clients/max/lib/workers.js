'use strict';
// The workers' processes: started with the patch's settings when they are needed, heard, and ended together.

class Workers {
  #WorkerPool;
  #base;
  #say;
  #settings = {};
  #pool = null;
  /** Workers that are on their way out. */
  #ending = Promise.resolve();
  #heard = new WeakSet();

  /**
   * @param {typeof import('dsu-client').WorkerPool} WorkerPool
   * @param {object} base options of all pools
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

  /** Options that count from the next start on; what runs idle with the earlier ones is ended. */
  configure(change) {
    this.#settings = { ...this.#settings, ...change };
    this.stop();
  }

  async start(kind) {
    await this.worker(kind).start();
  }

  /** The worker of a kind. Its process starts with its first request. */
  worker(kind) {
    // In a patch, whoever loads a model wants it to stay until `stop`.
    this.#pool ??= new this.#WorkerPool({ idleTimeoutMs: 0, ...this.#base, ...this.#settings });
    const worker = this.#pool.worker(kind);
    if (!this.#heard.has(worker)) this.#listen(worker, kind);
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

  /** The kinds that have a process. */
  running() {
    const rows = Object.entries(this.#pool?.stats() ?? {});
    return rows.filter(([, { pid }]) => pid !== null).map(([kind]) => kind);
  }

  /** End all. @returns {Promise<void>} when every process is gone */
  stop() {
    const pool = this.#pool;
    this.#pool = null;
    this.#ending = Promise.all([this.#ending, pool?.shutdown()]);
    return this.#ending;
  }

  #listen(worker, kind) {
    this.#heard.add(worker);
    worker.on('loading', () => this.#say('state', 'starting', kind));
    worker.on('ready', ({ device }) => this.#say('state', 'ready', kind, device));
    worker.on('exit', () => this.#say('state', 'stopped', kind));
    worker.on('restart', ({ message }) => this.#say('warning', `${message} It is started again.`));
    worker.on('junk', (text) => this.#say('log', kind, text));
    worker.on('stderr', (text) => this.#say('log', kind, text.trim()));
  }
}

module.exports = { Workers };
