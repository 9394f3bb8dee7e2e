#!/usr/bin/env node
'use strict';
// What a fast application does, with every worker: preload models, then run jobs with the cached models. Checks the cache
// and the output files.

const path = require('node:path');
const { findInput } = require('./node_test_config');
const { describeWorker, lengthOf, outputFaults, startTimed, timed } = require('./node_programs/jobs');
const { describeModels, jobRequest, loadRequest, modelRecord } = require('./node_programs/models');
const { round, runProgram } = require('./node_programs/program');
const { seconds, table } = require('./node_programs/tables');
const { WORKER_OPTIONS, eachWorker, oneOfEachKind } = require('./node_programs/workers');

const PROGRAM = {
  name: 'test_workers_optimized',
  summary:
    'Preloads a model of each kind in each worker, then separates twice. Checks that the jobs find the ' +
    'model in the cache, and that files have the right length and rate and are not silent.',
  options: WORKER_OPTIONS,
  examples: ['', '--worker demucs,bsroformer --device cpu', '--model demucs=htdemucs --input song.wav'],
  run,
};

async function run(context) {
  const { config, say, signal } = context;
  const input = await findInput(config, signal);
  say(`Input: ${input}`);
  const workers = await eachWorker(context, (worker, pool) => tryWorker(context, worker, pool, input));
  say(`\n${timesTable(workers.flatMap(({ results }) => results))}`);
  return { input: { path: input }, workers };
}

/** One worker, from start to end. */
async function tryWorker(context, worker, pool, input) {
  const { checks, say } = context;
  const started = await startTimed(pool, worker);
  say(`\n${describeWorker(started)}`);
  const models = await oneOfEachKind(context, pool, worker);
  say(describeModels(models));
  checkReady(checks, started.ready, worker, context.config);
  const loads = await preloadAll(checks, pool, models);
  const rows = [];
  for (const [i, model] of models.entries()) rows.push(await separateTwice(context, pool, model, loads[i], input));
  await clearCache(checks, pool, worker, models.length);
  return {
    worker,
    device: started.ready.device,
    ready_s: round(started.seconds),
    models: models.map(modelRecord),
    results: rows,
  };
}

function checkReady(checks, ready, worker, { device }) {
  checks.equal(`${worker}: speaks protocol 1`, ready.protocol, 1);
  if (!device || device === 'auto') return;
  checks.equal(`${worker}: runs on the device that was asked for`, ready.device, device);
}

/** Load all models before the first job; all stay loaded. */
async function preloadAll(checks, pool, models) {
  const loads = [];
  for (const model of models) {
    const request = loadRequest(model);
    // Apollo has no preload of its own: `load_apollo` leaves the separating model as it is.
    const preload = request.cmd === 'load_model' ? { ...request, cmd: 'preload_model' } : request;
    const { last, seconds: took } = await timed(pool, model.worker, preload);
    checks.equal(`${model.kind}: the preload loads the model`, last.already_cached ?? last.cached, false);
    const again = await timed(pool, model.worker, preload);
    checks.equal(`${model.kind}: a second preload finds it`, again.last.already_cached ?? again.last.cached, true);
    loads.push(took);
  }
  const { count } = await pool.run(models[0].worker, { cmd: 'list_cached' });
  checks.equal(`${models[0].worker}: the cache holds what was preloaded`, count, models.length);
  return loads;
}

async function separateTwice({ checks, config, values }, pool, model, load, input) {
  const outputDir = path.join(config.outputDir, model.kind);
  const request = jobRequest(model, { input, outputDir, text: values.text ?? 'drums' });
  const inputSeconds = lengthOf(input);
  const jobs = [];
  for (const name of ['first job', 'second job']) {
    const job = await timed(pool, model.worker, request);
    jobs.push(job);
    checks.equal(`${model.kind}: the ${name} finds the model in the cache`, job.last.model_from_cache, true);
    const loading = job.lines.some(({ status }) => status === 'loading_model');
    checks.equal(`${model.kind}: the ${name} loads nothing`, loading, false);
    const faults = outputFaults(job.last, inputSeconds);
    checks.check(`${model.kind}: the ${name} writes sound files`, faults.length === 0, faults.join('; '));
  }
  const [first, second] = jobs;
  return {
    kind: model.kind,
    model: model.name,
    preload_s: round(load),
    first_s: round(first.seconds),
    second_s: round(second.seconds),
    paths: second.last.paths,
  };
}

async function clearCache(checks, pool, worker, count) {
  const { models_cleared: cleared } = await pool.run(worker, { cmd: 'clear_cache' });
  checks.equal(`${worker}: clear_cache drops them all`, cleared, count);
}

function timesTable(rows) {
  const heads = ['Kind', 'Model', 'Preload s', 'First job s', 'Second job s', 'Files'];
  const cells = rows.map(({ kind, model, preload_s: preload, first_s: first, second_s: second, paths }) => [
    kind,
    model,
    ...[preload, first, second].map(seconds),
    Object.keys(paths).length,
  ]);
  return table(heads, cells);
}

if (require.main === module) runProgram(PROGRAM);
