'use strict';
// Shared by programs that go through all workers: their names, flags, and the loop over them.

const { DSUError } = require('../../clients/node');
const { KINDS, chooseNamed, kindsOf } = require('./models');
const { explain, isSetupError } = require('./program');

const WORKERS = ['demucs', 'bsroformer', 'audio-separator', 'audiosep'];
// The most kinds of models of a worker; as many stay loaded.
const MODELS = 3;

const WORKER_OPTIONS = [
  {
    flag: '--worker',
    value: 'NAMES',
    commas: true,
    choices: WORKERS,
    help: `Workers to run, of ${WORKERS.join(', ')}; default: all.`,
  },
  {
    flag: '--model',
    value: 'KIND=MODEL',
    many: true,
    help:
      `Model of a kind (${Object.keys(KINDS).join(', ')}): a name in the worker's list, or a file. Default: an ` +
      'installed one, or else a small one with random weights.',
  },
  {
    flag: '--config',
    value: 'KIND=FILE',
    many: true,
    help: 'Configuration of a model given as a file; default: the .yaml beside it.',
  },
  { flag: '--text', value: 'WORDS', help: 'What dsu-audiosep separates; default drums.' },
];

function workersOf({ values }) {
  return WORKERS.filter((worker) => !values.worker || values.worker.includes(worker));
}

/**
 * Try the workers one after another, so that they do not compete. A failure does not stop the others.
 *
 * @param {object} context
 * @param {(worker: string, pool: object) => Promise<object>} tryOne
 * @returns {Promise<object[]>} the results of `tryOne`, or the error of a worker that failed
 */
async function eachWorker(context, tryOne) {
  const found = [];
  for (const worker of workersOf(context)) {
    const pool = context.openPool([worker], MODELS);
    try {
      found.push(await tryOne(worker, pool));
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof DSUError) || isSetupError(error)) throw error;
      context.checks.check(`${worker}: runs to its end`, false, explain(error));
      found.push({ worker, error: { code: error.code, message: error.message }, results: [] });
    } finally {
      await pool.shutdown();
    }
  }
  return found;
}

/** A model of each kind that the worker knows. */
async function oneOfEachKind(context, pool, worker) {
  const allowed = workersOf(context).flatMap(kindsOf);
  const models = [];
  for (const kind of kindsOf(worker)) {
    const [first] = await chooseNamed(context, pool, kind, 1, allowed);
    models.push(first);
  }
  return models;
}

module.exports = { WORKER_OPTIONS, eachWorker, oneOfEachKind };
