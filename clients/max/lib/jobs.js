'use strict';
// The jobs that have not ended: their numbers, which of them runs, and how they are cancelled.

const { errorMessage } = require('./reports');

class Jobs {
  #say;
  #last = 0;
  /** By number, in the order of the messages. */
  #open = new Map();

  /** @param {(...atoms: Array<string | number>) => void} say sends a message to the patch */
  constructor(say) {
    this.#say = say;
  }

  get count() {
    return this.#open.size;
  }

  /**
   * Run `work` under a number of its own, and report its state and outcome to the patch.
   *
   * @param {string} what the job's name in messages
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

  /** Cancel the job with this number; without one, the running job or else the next. Returns whether there was one. */
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
