'use strict';
// The jobs that are not over: their numbers, which of them runs, and how they are cancelled.

const { errorMessage } = require('./reports');

class Jobs {
  #say;
  #last = 0;
  /** By number, in the order asked for. */
  #open = new Map();

  /** @param {(...atoms: Array<string | number>) => void} say sends a message to the patch */
  constructor(say) {
    this.#say = say;
  }

  get count() {
    return this.#open.size;
  }

  /**
   * Do `work` under a number of its own and tell the patch how it goes and ends.
   *
   * @param {string} what it is called in the messages
   * @param {(job: {id: number, signal: AbortSignal, begun: () => void}) => Promise<void>} work
   */
  async run(what, work) {
    const id = (this.#last += 1);
    const job = { controller: new AbortController(), running: false };
    this.#open.set(id, job);
    this.#say('state', 'queued', id, what);
    try {
      await work({ id, signal: job.controller.signal, begun: () => this.#begin(id, job) });
    } catch (error) {
      if (error.name === 'AbortError') this.#say('cancelled', id);
      else this.#say(...errorMessage(error, id));
    } finally {
      this.#open.delete(id);
      if (this.#open.size === 0) this.#say('state', 'idle');
    }
  }

  /** Cancel the job with this number, or the one that runs, or else the next one. Is there such a job? */
  cancel(id) {
    const numbers = [...this.#open.keys()];
    const chosen = id ?? numbers.find((number) => this.#open.get(number).running) ?? numbers[0];
    const job = this.#open.get(chosen);
    job?.controller.abort();
    return job !== undefined;
  }

  cancelAll() {
    for (const { controller } of this.#open.values()) controller.abort();
  }

  #begin(id, job) {
    if (job.running) return;
    job.running = true;
    this.#say('state', 'running', id);
  }
}

module.exports = { Jobs };
