#!/usr/bin/env node
'use strict';
// Runs every installed model of dsu-bsroformer over one file by its command line, and prints a table.

const fs = require('node:fs');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { findInput, workerCommand } = require('./node_test_config');
const { describeWorker, lengthOf, outputFaults, startTimed } = require('./node_programs/jobs');
const {
  describeModels,
  installedModels,
  modelRecord,
  namedModel,
  smallModels,
  weightsOf,
} = require('./node_programs/models');
const { round, runProgram } = require('./node_programs/program');
const { seconds, table } = require('./node_programs/tables');
const { runToEnd } = require('./node_programs/tools');

const KIND = 'bsroformer';

const PROGRAM = {
  name: 'run_bsroformer_models',
  summary:
    'Runs every installed model of dsu-bsroformer over one file, each in its own process through the command ' +
    'line, and prints the times. They include the start of the program and loading the model.',
  options: [
    {
      flag: '--model',
      value: 'NAMES',
      commas: true,
      help: 'Models to run: names in the worker\'s list, or a file; default: all installed ones.',
    },
    { flag: '--checkpoint', value: 'FILE', help: 'Alias of --model, for a file.' },
    {
      flag: '--config',
      value: 'FILE',
      help: 'Configuration of a model given as a file; default: the .yaml beside it.',
    },
    {
      flag: '--quality',
      value: 'NAME',
      choices: ['fast', 'balanced', 'best'],
      help: 'Passed on to the command line; default fast.',
    },
  ],
  examples: ['', '--input song.wav --device cuda', '--model bsroformer_4stem,scnet_xl_ihf', '--small'],
  run,
};

async function run(context) {
  const { checks, config, say, signal } = context;
  const input = await findInput(config, signal);
  const { models, device } = await listModels(context);
  say(`Input: ${input}`);
  say(`${describeModels(models)}\n`);
  const inputSeconds = lengthOf(input);
  const rows = [];
  for (const model of models) {
    const row = await runModel(context, model, input);
    checks.check(`${model.name}: the program succeeds`, row.error === null, row.error?.message);
    if (!row.error) {
      const faults = outputFaults(row, inputSeconds);
      checks.check(`${model.name}: the outputs are sound`, faults.length === 0, faults.join('; '));
    }
    rows.push(row);
  }
  say(`\n${resultTable(rows)}`);
  return { device, input: { path: input, seconds: inputSeconds }, results: rows };
}

/** The models to run. The worker that lists them ends first, so that it does not compete. */
async function listModels(context) {
  const { say, values } = context;
  const pool = context.openPool([KIND], 0);
  const started = await startTimed(pool, KIND);
  say(describeWorker(started));
  const names = [...(values.model ?? []), ...(values.checkpoint ? [values.checkpoint] : [])];
  const models = names.map((text) => namedModel(KIND, text, values.config));
  if (names.length === 0) models.push(...(await everyModel(context, pool)));
  await pool.shutdown();
  return { models, device: started.ready.device };
}

function everyModel(context, pool) {
  return context.config.small ? smallModels(context, KIND) : installedModels(pool, KIND, () => true);
}

/** One run of the program, whose journal has the result. */
async function runModel({ config, signal, values }, model, input) {
  const outputDir = path.join(config.outputDir, model.name);
  const journal = path.join(outputDir, 'journal.jsonl');
  fs.rmSync(journal, { force: true });
  fs.mkdirSync(outputDir, { recursive: true });
  const words = commandWords(config, model, { outputDir, journal, quality: values.quality });
  const startedAt = performance.now();
  const { code, stderr } = await runToEnd([...workerCommand(config, KIND), ...words, input], { signal });
  const total = (performance.now() - startedAt) / 1000;
  const lines = journalLines(journal);
  const song = lines.find(({ status }) => status !== 'summary');
  return {
    ...modelRecord(model),
    total_s: round(total),
    separate_s: song?.elapsed ?? null,
    exit_status: code,
    error: code === 0 && song?.status === 'done' ? null : runError(lines, code, stderr.trim()),
    paths: song?.outputs ?? {},
  };
}

/** The error of a run: of the song, of the whole run, or the end of the output. */
function runError(lines, code, output) {
  const reported = lines.map(({ error }) => error).find(Boolean);
  return reported ?? { code: 'failed', message: output || `The program ended with status ${code}.` };
}

function commandWords({ modelsDir, device, threads }, { fields }, { outputDir, journal, quality }) {
  const flags = {
    '--model': fields.model,
    '--model-path': fields.model_path,
    '--config-path': fields.config_path,
    '--models-dir': modelsDir,
    '--device': device,
    '--threads': threads,
    '--quality': quality,
    '--out': outputDir,
    '--journal': journal,
  };
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return ['--offline', '--float32', ...given.flatMap(([flag, value]) => [flag, String(value)])];
}

function journalLines(file) {
  if (!fs.existsSync(file)) return [];
  return fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
}

function resultTable(rows) {
  const heads = ['Model', 'Weights', 'Total s', 'Separate s', 'Stems', 'Result'];
  const cells = rows.map((row) => [
    row.name,
    weightsOf(row),
    seconds(row.total_s),
    seconds(row.separate_s),
    Object.keys(row.paths).join(', '),
    row.error ? row.error.code : 'done',
  ]);
  return table(heads, cells);
}

if (require.main === module) runProgram(PROGRAM);
