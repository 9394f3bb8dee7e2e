#!/usr/bin/env node
'use strict';
// Sends a song through several models, each with the output of the one before; one worker per kind stays alive.

const fs = require('node:fs');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { findInput } = require('./node_test_config');
const { describeWorker, lengthOf, outputFaults, startTimed, timed } = require('./node_programs/jobs');
const { KINDS, chooseNamed, describeModels, jobRequest, loadRequest, modelRecord } = require('./node_programs/models');
const { round, runProgram } = require('./node_programs/program');
const { seconds, table } = require('./node_programs/tables');

const OPERATIONS = Object.keys(KINDS);
// The stems to pass on without a matching --stem; otherwise the model's first stem.
const USUAL_STEMS = ['instrumental', 'vocals'];

const PROGRAM = {
  name: 'run_sequence_pipeline',
  summary:
    'Sends a file through several models: the output of each step is the input of the next. Every worker ' +
    'starts once and stays alive. Prints the time of each step and checks its files.',
  options: [
    {
      flag: '--sequence',
      value: 'A,B',
      commas: true,
      choices: OPERATIONS,
      help: `Steps, of ${OPERATIONS.join(', ')}; default vr,apollo.`,
    },
    {
      flag: '--stem',
      value: 'NAMES',
      commas: true,
      help:
        'Stem to pass on, if a step has it; several by commas, in order of preference. Default: ' +
        'instrumental, then vocals, then the first one.',
    },
    { flag: '--keep-steps', help: 'Keep the files of all steps, not only of the last one.' },
    {
      flag: '--model',
      value: 'STEP=MODEL',
      many: true,
      help:
        'Model of a step, such as vr=3_HP-Vocal-UVR.pth: a name in the worker\'s list, or a file. Default: an ' +
        'installed one, or else a small one with random weights.',
    },
    {
      flag: '--config',
      value: 'STEP=FILE',
      many: true,
      help: 'Configuration of a model given as a file; default: the .yaml beside it.',
    },
    { flag: '--text', value: 'WORDS', help: 'What audiosep separates; default drums.' },
  ],
  examples: [
    '--sequence vr,apollo --input song.wav',
    '--sequence bsroformer,apollo --stem vocals --keep-steps',
    '--sequence vr,apollo --model vr=3_HP-Vocal-UVR.pth --model apollo=/models/apollo.ckpt',
  ],
  run,
};

async function run(context) {
  const { checks, config, say, signal, values } = context;
  const sequence = values.sequence ?? ['vr', 'apollo'];
  const text = values.text ?? 'drums';
  const input = await findInput(config, signal);
  const workers = [...new Set(sequence.map((kind) => KINDS[kind].worker))];
  const pool = context.openPool(workers, sequence.length);
  say(`Input: ${input}`);
  for (const worker of workers) say(describeWorker(await startTimed(pool, worker)));
  const models = await modelsOf(context, pool, sequence);
  say(`${describeModels(models)}\n`);
  const loaded = await loadAll(pool, models);
  const takes = loaded.map(({ last }, i) => goingOn(stemsOf(models[i], last, text), values.stem ?? []));
  const steps = models.map((model, i) => {
    const { input: _, ...fields } = jobRequest(model, { outputDir: stepFolder(config, i, model), text });
    return { worker: model.worker, take: takes[i], ...fields };
  });
  const startedAt = performance.now();
  const { results, path: last } = await pool.pipeline(steps, { input, signal });
  const total = (performance.now() - startedAt) / 1000;
  const rows = results.map((done, i) => stepRow(models[i], loaded[i], done, takes[i]));
  say(`${stepTable(rows, loaded.reduce((sum, { seconds: s }) => sum + s, 0), total)}\n`);
  checkSteps(checks, results, rows, lengthOf(input));
  if (!values.keepSteps) removeSteps(config, models.slice(0, -1));
  say(`\nResult: ${last}`);
  return {
    sequence,
    device: pool.worker(workers[0]).readyLine.device,
    input: { path: input },
    models: models.map(modelRecord),
    steps: rows.map((row, i) => ({ ...row, kept: values.keepSteps === true || i === rows.length - 1 })),
    total_s: round(total),
    result: last,
  };
}

/** A model for each step; of several `--model vr=…` the first is for the first VR step, and so on. */
async function modelsOf(context, pool, sequence) {
  const counts = {};
  for (const kind of sequence) counts[kind] = (counts[kind] ?? 0) + 1;
  const found = {};
  for (const [kind, count] of Object.entries(counts)) {
    found[kind] = await chooseNamed(context, pool, kind, count, sequence);
  }
  return sequence.map((kind) => (found[kind].length > 1 ? found[kind].shift() : found[kind][0]));
}

/** Models are loaded first, so that their stems are known. */
async function loadAll(pool, models) {
  const loaded = [];
  for (const model of models) loaded.push(await timed(pool, model.worker, loadRequest(model)));
  return loaded;
}

/** The stem of dsu-audiosep has the name of its text. */
function stemsOf(model, loaded, text) {
  return model.kind === 'audiosep' ? [text] : loaded.stems;
}

/** The stem for the next step. */
function goingOn(stems, wanted) {
  const same = (stem, name) => stem.toLowerCase() === name.toLowerCase();
  const found = [...wanted, ...USUAL_STEMS].map((name) => stems.find((stem) => same(stem, name)));
  return found.find(Boolean) ?? stems[0];
}

function stepFolder(config, index, model) {
  return path.join(config.outputDir, `step_${index + 1}_${model.kind}`);
}

function stepRow(model, loaded, done, take) {
  return {
    step: model.kind,
    worker: `dsu-${model.worker}`,
    model: model.name,
    load_s: round(loaded.seconds),
    process_s: done.elapsed,
    from_cache: done.model_from_cache,
    goes_on: take,
    paths: done.paths,
  };
}

function stepTable(rows, load, total) {
  const heads = ['Step', 'Worker', 'Model', 'Load s', 'Process s', 'Files', 'Goes on'];
  const cells = rows.map((row) => [
    row.step,
    row.worker,
    row.model,
    seconds(row.load_s),
    seconds(row.process_s),
    Object.keys(row.paths).length,
    row.goes_on,
  ]);
  const processing = rows.reduce((sum, row) => sum + row.process_s, 0);
  const sums = ['all', '', '', seconds(load), seconds(processing), '', ''];
  return `${table(heads, [...cells, sums])}\n\n  The song went through in ${seconds(total)} s, with models loaded.`;
}

function checkSteps(checks, results, rows, inputSeconds) {
  for (const [i, row] of rows.entries()) {
    const name = `Step ${i + 1}, ${row.step}`;
    const faults = outputFaults(results[i], inputSeconds);
    checks.check(`${name}: the outputs are sound`, faults.length === 0, faults.join('; '));
    checks.equal(`${name}: the model was loaded once`, row.from_cache, true);
  }
}

/** Remove files that only the next step needed. */
function removeSteps(config, models) {
  models.forEach((model, i) => fs.rmSync(stepFolder(config, i, model), { recursive: true, force: true }));
}

if (require.main === module) runProgram(PROGRAM);
