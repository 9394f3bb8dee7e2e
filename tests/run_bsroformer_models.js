#!/usr/bin/env node
'use strict';
// Every installed model of dsu-bsroformer over one file, each by the command line that people use, and one table.

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
    'Runs every installed model of dsu-bsroformer over one file, each in a process of its own through the command ' +
    'line, and prints what each took. Times hold the start of the program and the loading of the model.',
  options: [
    {
      flag: '--model',
      value: 'NAMES',
      commas: true,
      help: 'Only these models: names of the worker\'s list, or a file.',
    },
    { flag: '--checkpoint', value: 'FILE', help: 'Another name of --model, for a file.' },
    {
      flag: '--config',
      value: 'FILE',
      help: 'The configuration of a model that is a file; default the .yaml beside it.',
    },
    {
      flag: '--quality',
      value: 'NAME',
      choices: ['fast', 'balanced', 'best'],
      help: 'What the command line is told; default fast.',
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

/** Which models to run. The worker is asked and ends, so that it does not compete. */
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

/** One run of the program. Its journal tells what has become of the song. */
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

/** Why a run has failed: the song's error, the whole run's, or what the program said last. */
function runError(lines, code, said) {
  const told = lines.map(({ error }) => error).find(Boolean);
  return told ?? { code: 'failed', message: said || `The program ended with status ${code}.` };
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
