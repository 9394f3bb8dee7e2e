'use strict';
// What programs share that go through all workers: which those are, their flags, and one worker after another.

const { DSUError } = require('../../clients/node');
const { KINDS, chooseNamed, kindsOf } = require('./models');
const { explain, isSetupError } = require('./program');

const WORKERS = ['demucs', 'bsroformer', 'audio-separator', 'audiosep'];
// As many models as a worker has kinds stay loaded.
const MODELS = 3;

const WORKER_OPTIONS = [
  {
    flag: '--worker',
    value: 'NAMES',
    commas: true,
    choices: WORKERS,
    help: `Only these of ${WORKERS.join(', ')}.`,
  },
  {
    flag: '--model',
    value: 'KIND=MODEL',
    many: true,
    help:
      `The model of a kind (${Object.keys(KINDS).join(', ')}): a name of the worker's list, or a file. Default an ` +
      'installed one, or else a small one with random weights.',
  },
  {
    flag: '--config',
    value: 'KIND=FILE',
    many: true,
    help: 'The configuration of a model that is a file; default the .yaml beside it.',
  },
  { flag: '--text', value: 'WORDS', help: 'What dsu-audiosep is to separate; default drums.' },
];

function workersOf({ values }) {
  return WORKERS.filter((worker) => !values.worker || values.worker.includes(worker));
}

/**
 * Try one worker after another, so that none competes with another one. One that fails does not stop the others.
 *
 * @param {object} context
 * @param {(worker: string, pool: object) => Promise<object>} tryOne
 * @returns {Promise<object[]>} what `tryOne` gave; of a worker that failed, its error
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
