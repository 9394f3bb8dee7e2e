'use strict';
// What the tests share: a stand-in for max-api, and a patch that is connected to workers of one kind or the other.

const { WorkerPool } = require('../../node');
const { WORKERS } = require('../../node/lib/protocol');
const { FAKE } = require('../../node/testing/helpers');
const { connect } = require('../lib/bridge');

/** Longer than anything takes on a machine that does other things as well. */
const LIMIT_MS = 120_000;

/** What `require('max-api')` gives, as far as the script uses it; what is sent to the patch is recorded. */
class StandIn {
  MESSAGE_TYPES = { ALL: 'all' };
  sent = [];
  posted = [];
  dictionaries = {};
  #handlers = {};
  #waiting = new Set();

  addHandlers(handlers) {
    Object.assign(this.#handlers, handlers);
  }

  get selectors() {
    return Object.keys(this.#handlers).filter((name) => name !== this.MESSAGE_TYPES.ALL);
  }

  async outlet(...atoms) {
    this.sent.push(atoms);
    for (const check of this.#waiting) check();
  }

  async post(text) {
    this.posted.push(text);
  }

  async setDict(name, value) {
    this.dictionaries[name] = value;
  }

  /** A message of the patch. */
  fire(selector, ...atoms) {
    const handler = this.#handlers[selector];
    handler?.(...atoms);
    this.#handlers[this.MESSAGE_TYPES.ALL]?.(handler !== undefined, selector, ...atoms);
  }

  /** What was sent with these first words; undefined stands for any. */
  all(...words) {
    return this.sent.filter((atoms) => words.every((word, i) => word === undefined || atoms[i] === word));
  }

  /** Wait for a message with these first words; fails the test where it does not come. */
  heard(...words) {
    return new Promise((resolve, reject) => {
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        settle(value);
      };
      const check = () => {
        const [found] = this.all(...words);
        if (found) finish(resolve, found);
      };
      const fail = () => finish(reject, new Error(`no ${words.join(' ')}; there was ${JSON.stringify(this.sent)}`));
      const timer = setTimeout(fail, LIMIT_MS);
      this.#waiting.add(check);
      check();
    });
  }
}

/** A patch with workers; no worker is left when the test is over. */
function patch(t, poolOptions, client = { WorkerPool, WORKERS }) {
  const max = new StandIn();
  const { close } = connect(max, client, { handleSignals: false, ...poolOptions });
  t.after(close);
  return Object.assign(max, { close });
}

/** A patch whose workers misbehave as the model says. */
function fakePatch(t, options = {}, client = undefined) {
  return patch(t, { command: FAKE, ...options }, client);
}

module.exports = { LIMIT_MS, StandIn, fakePatch, patch };
