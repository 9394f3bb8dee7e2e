#!/usr/bin/env node
'use strict';
// The final check before a release: every worker and kind of model, cold against cached, and the protocol.
// Writes performance_report.json and a table in Markdown.

const path = require('node:path');
const { findInput } = require('./node_test_config');
const { describeWorker, lengthOf, outputFaults, startTimed, timed } = require('./node_programs/jobs');
const { describeModels, jobRequest, modelRecord, weightsOf } = require('./node_programs/models');
const { round, runProgram, writeFile } = require('./node_programs/program');
const { checkCancel, checkExit, checkLines, checkMissingFile } = require('./node_programs/protocol_checks');
const { markdownTable, seconds, table } = require('./node_programs/tables');
const { WORKER_OPTIONS, eachWorker, oneOfEachKind } = require('./node_programs/workers');

const HEADS = ['Worker', 'Kind', 'Model', 'Weights', 'Ready s', 'Cold s', 'Cached s', 'Cold / cached', 'Processing s'];

const PROGRAM = {
  name: 'test_all_workers_final',
  summary:
    'Runs every kind of model in every worker cold and cached, and checks the protocol: ids, ' +
    'progress, errors, cancelling, exit. Writes performance_report.json and performance_report.md.',
  reportName: 'performance_report.json',
  options: WORKER_OPTIONS,
  examples: ['', '--exe-dir dist/dsu --device cuda', '--worker demucs --model demucs=htdemucs'],
  run,
};

async function run(context) {
  const { config, say, signal } = context;
  const input = await findInput(config, signal);
  say(`Input: ${input}`);
  const found = await eachWorker(context, (worker, pool) => tryWorker(context, worker, pool, input));
  const cells = found.flatMap(({ results }) => results.map(cellsOf));
  say(`\n${table(HEADS, cells)}`);
  const device = found.find((one) => one.device)?.device ?? null;
  const markdown = config.report.replace(/(\.json)?$/, '.md');
  writeFile(markdown, markdownReport(context, { device, input, cells }));
  say(`\nTable: ${markdown}`);
  return { device, input: { path: input, seconds: lengthOf(input) }, workers: found };
}

/** One worker, from start to `exit`. */
async function tryWorker(context, worker, pool, input) {
  const { checks, config, say, values } = context;
  const started = await startTimed(pool, worker);
  say(`\n${describeWorker(started)}`);
  const models = await oneOfEachKind(context, pool, worker);
  say(describeModels(models));
  const requests = models.map((model) => {
    const outputDir = path.join(config.outputDir, model.kind);
    return jobRequest(model, { input, outputDir, text: values.text ?? 'drums' });
  });
  const cold = await runAll(context, pool, models, requests, { name: 'cold', cached: false }, input);
  await checkMissingFile(context, pool, worker, requests[0]);
  const cached = await runAll(context, pool, models, requests, { name: 'cached', cached: true }, input);
  await checkCancel(context, pool, worker, requests[0]);
  await checkExit(checks, pool, worker);
  const ready = round(started.seconds);
  const results = models.map((model, i) => resultOf(model, ready, cold[i], cached[i]));
  return { worker, device: started.ready.device, ready_s: ready, results };
}

async function runAll({ checks }, pool, models, requests, { name, cached }, input) {
  const inputSeconds = lengthOf(input);
  const jobs = [];
  for (const [i, model] of models.entries()) {
    const job = await timed(pool, model.worker, { ...requests[i], id: `${model.kind}-${name}` });
    const title = `${model.kind}, ${name}`;
    checks.equal(`${title}: the model ${cached ? 'is cached' : 'is loaded'}`, job.last.model_from_cache, cached);
    checkLines(checks, title, job);
    const faults = outputFaults(job.last, inputSeconds);
    checks.check(`${title}: the outputs are sound`, faults.length === 0, faults.join('; '));
    jobs.push(job);
  }
  return jobs;
}

function resultOf(model, ready, cold, cached) {
  return {
    ...modelRecord(model),
    ready_s: ready,
    cold_s: round(cold.seconds),
    cold_processing_s: cold.last.elapsed,
    cached_s: round(cached.seconds),
    cached_processing_s: cached.last.elapsed,
    cold_over_cached: round(cold.seconds / cached.seconds, 2),
  };
}

function cellsOf(result) {
  const { ready_s: ready, cold_s: cold, cached_s: cached, cold_over_cached: ratio } = result;
  const numbers = [ready, cold, cached, ratio, result.cached_processing_s];
  return [`dsu-${result.worker}`, result.kind, result.name, weightsOf(result), ...numbers.map(seconds)];
}

function markdownReport({ checks, startedAt }, { device, input, cells }) {
  const day = startedAt.toISOString().slice(0, 10);
  const lines = [
    '# Performance',
    '',
    `${day}, ${process.platform} ${process.arch}, device ${device}, input \`${path.basename(input)}\`.`,
    checks.summary(),
    '',
    markdownTable(HEADS, cells),
    '',
    'Cold is the first job of a worker that is ready: it loads the model. Cached is the same job again. Times of small',
    'models with random weights mean nothing for real ones.',
  ];
  return `${lines.join('\n')}\n`;
}

if (require.main === module) runProgram(PROGRAM);
