#!/usr/bin/env node
'use strict';
// The benefit of the model cache: a job, the same again, another model, and back. Checks what the worker reports about
// its cache, and that the last job gives the same samples as the first.

const path = require('node:path');
const { findInput } = require('./node_test_config');
const { SetupError } = require('./node_programs/arguments');
const { describeWorker, lengthOf, outputFaults, startTimed, timed } = require('./node_programs/jobs');
const {
  chooseModels,
  describeModels,
  jobRequest,
  kindsOf,
  modelRecord,
  namedModel,
} = require('./node_programs/models');
const { round, runProgram } = require('./node_programs/program');
const { seconds, table } = require('./node_programs/tables');
const { largestDifference } = require('./node_programs/wav');

const WORKERS = ['demucs', 'bsroformer', 'audio-separator', 'audiosep'];
const MODELS = 2;
// GPUs do not sum in a fixed order; another model differs far more.
const SAME_SAMPLES = 1e-3;

const STEPS = [
  { name: 'COLD', model: 0, cached: false },
  { name: 'CACHED', model: 0, cached: true },
  { name: 'SWITCH', model: 1, cached: false },
  { name: 'SWITCH BACK', model: 0, cached: true },
];

const PROGRAM = {
  name: 'run_optimized_workflow',
  summary:
    'One worker, two models, four jobs over one file: COLD, CACHED, SWITCH, SWITCH BACK. Prints their times ' +
    'and checks that CACHED and SWITCH BACK found their model loaded.',
  options: [
    { flag: '--worker', value: 'NAME', choices: WORKERS, help: `${WORKERS.join(', ')}; default bsroformer.` },
    {
      flag: '--model1',
      value: 'MODEL',
      help:
        'First model: a name in the worker\'s list, or a file. Default: an installed one, or else a small one ' +
        'with random weights.',
    },
    { flag: '--model2', value: 'MODEL', help: 'Second model, likewise.' },
    { flag: '--model', value: 'MODEL', help: 'Alias of --model1.' },
    { flag: '--checkpoint', value: 'FILE', help: 'Alias of --model1, for a file.' },
    {
      flag: '--config',
      value: 'FILE',
      help: 'Configuration of --model1 if that is a file; default: the .yaml beside it.',
    },
    { flag: '--text', value: 'WORDS', help: 'What dsu-audiosep separates; default drums.' },
  ],
  examples: [
    '--worker demucs',
    '--worker bsroformer --input song.wav --model1 bsroformer_4stem --model2 scnet_xl_ihf',
    '--worker bsroformer --checkpoint net.ckpt --config net.yaml --model2 dsu_mini --device cuda',
  ],
  run,
};

async function run(context) {
  const { checks, config, say, signal, values } = context;
  const worker = values.worker ?? 'bsroformer';
  const input = await findInput(config, signal);
  const pool = context.openPool([worker], MODELS);
  const started = await startTimed(pool, worker);
  const models = await twoModels(context, pool, worker);
  say(describeWorker(started));
  say(`Input: ${input}`);
  say(`${describeModels(models)}\n`);
  const inputSeconds = lengthOf(input);
  const rows = [];
  for (const [index, step] of STEPS.entries()) {
    const outputDir = path.join(config.outputDir, `${index + 1}_${step.name.toLowerCase().replace(' ', '_')}`);
    const request = jobRequest(models[step.model], { input, outputDir, text: values.text ?? 'drums' });
    rows.push(await runStep(pool, worker, step, models[step.model], request));
  }
  say(`${stepTable(rows)}\n`);
  rows.forEach((row, index) => checkStep(checks, row, STEPS[index], inputSeconds));
  checkSamples(checks, rows);
  await checkCache(checks, pool, worker);
  return {
    worker,
    device: started.ready.device,
    models_dir: started.ready.models_dir,
    input: { path: input, seconds: inputSeconds },
    models: models.map(modelRecord),
    ready_s: round(started.seconds),
    steps: rows.map(({ last, lines, ...row }) => row),
  };
}

async function twoModels(context, pool, worker) {
  const { values } = context;
  const names = [values.model1 ?? values.model ?? values.checkpoint, values.model2];
  if (values.config && !names[0]) throw new SetupError('--config needs --checkpoint with the model\'s file.');
  const configs = [values.config, undefined];
  const named = names.map((text, i) => text && namedModel(kindOf(worker, text), text, configs[i]));
  const same = (a, b) => JSON.stringify(a.fields) === JSON.stringify(b.fields);
  const missing = named.filter((model) => !model).length;
  // The given model may be one of the default ones.
  const wanted = missing === 1 ? MODELS : missing;
  const found = wanted > 0 ? await chooseModels(context, pool, kindsOf(worker)[0], wanted) : [];
  const free = found.filter((model) => !named.some((other) => other && same(model, other)));
  const models = named.map((model) => model ?? free.shift());
  if (models.includes(undefined)) throw new SetupError('There are too few models. Give --model1 and --model2.');
  if (same(...models)) throw new SetupError('--model1 and --model2 are the same model. Give two different ones.');
  return models;
}

/** dsu-audio-separator knows three kinds of models, which their names tell apart. */
function kindOf(worker, text) {
  if (worker !== 'audio-separator') return kindsOf(worker)[0];
  if (/\.onnx$/i.test(text)) return 'mdx';
  return /apollo|\.ckpt$/i.test(path.basename(text)) ? 'apollo' : 'vr';
}

async function runStep(pool, worker, step, model, request) {
  const { last, lines, seconds: total } = await timed(pool, worker, request);
  return {
    step: step.name,
    model: model.name,
    total_s: round(total),
    processing_s: last.elapsed,
    overhead_s: round(total - last.elapsed),
    load_s: last.timing.load,
    cached: last.model_from_cache,
    paths: last.paths,
    last,
    lines,
  };
}

function stepTable(rows) {
  const heads = ['Step', 'Model', 'Total s', 'Processing s', 'Overhead s', 'Load s', 'Model was'];
  const cells = rows.map((row) => [
    row.step,
    row.model,
    ...[row.total_s, row.processing_s, row.overhead_s, row.load_s].map(seconds),
    row.cached ? 'cached' : 'loaded',
  ]);
  return table(heads, cells);
}

function checkStep(checks, row, step, inputSeconds) {
  const word = step.cached ? 'is cached' : 'is loaded';
  checks.equal(`${step.name}: the model ${word}, says \`done\``, row.cached, step.cached);
  const sent = row.lines.some(({ status }) => status === 'loading_model');
  checks.equal(`${step.name}: \`loading_model\` is ${step.cached ? 'not ' : ''}sent`, sent, !step.cached);
  const faults = outputFaults(row.last, inputSeconds);
  checks.check(`${step.name}: the outputs are sound`, faults.length === 0, faults.join('; '));
}

/** A cached model gives the same stems as in the first job. */
function checkSamples(checks, [cold, cached, , back]) {
  for (const row of [cached, back]) {
    const differences = Object.entries(cold.paths).map(([stem, file]) => largestDifference(file, row.paths[stem]));
    const largest = Math.max(...differences);
    const same = largest <= SAME_SAMPLES;
    checks.check(`${row.step}: the samples are those of COLD`, same, `they differ by up to ${largest}`);
  }
}

async function checkCache(checks, pool, worker) {
  const { count } = await pool.run(worker, { cmd: 'list_cached' });
  checks.equal('both models are in the cache at the end', count, MODELS);
}

if (require.main === module) runProgram(PROGRAM);
