'use strict';
// Timed requests to a worker with all lines until the answer, and checks of the output files.

const fs = require('node:fs');
const { performance } = require('node:perf_hooks');
const { peak, readWav, wavSeconds } = require('./wav');

const CLOSE_S = 0.002;

/**
 * Start a worker.
 *
 * @returns {Promise<{worker: object, ready: object, seconds: number}>}
 */
async function startTimed(pool, kind) {
  const startedAt = performance.now();
  const worker = await pool.startWorker(kind);
  return { worker, ready: worker.readyLine, seconds: secondsSince(startedAt) };
}

/** The program, its device and its start-up time. */
function describeWorker({ worker, ready, seconds }) {
  const { device, threads, version } = ready;
  const place = `${device}, ${threads} thread${threads === 1 ? '' : 's'}`;
  const program = worker.command.slice(0, worker.command.indexOf('--worker')).at(-1);
  return `Worker: dsu-${worker.kind} ${version} on ${place}, ready after ${seconds.toFixed(2)} s (${program})`;
}

/**
 * Send a request and wait for its last line.
 *
 * @returns {Promise<{last: object, lines: object[], seconds: number}>} `lines` are all lines of the worker until then
 */
async function timed(pool, kind, request, options = {}) {
  const worker = pool.worker(kind);
  const lines = [];
  const listen = (line) => lines.push(line);
  worker.on('line', listen);
  const hide = showProgress(worker);
  const startedAt = performance.now();
  try {
    const last = await pool.run(kind, request, options);
    return { last, lines, seconds: secondsSince(startedAt) };
  } finally {
    hide();
    worker.off('line', listen);
  }
}

/** Progress is shown on a terminal only. */
function showProgress(worker) {
  if (!process.stderr.isTTY) return () => {};
  const show = ({ percent }) => process.stderr.write(`\r  ${percent.toFixed(0).padStart(3)} %`);
  worker.on('progress', show);
  return () => {
    worker.off('progress', show);
    process.stderr.write('\r       \r');
  };
}

function secondsSince(startedAt) {
  return (performance.now() - startedAt) / 1000;
}

/** The length of the input, or null if it cannot be read here. */
function lengthOf(file) {
  try {
    return wavSeconds(file);
  } catch {
    return null;
  }
}

/** The format and peak of a WAV file. */
function wavFacts(file) {
  const { samples, ...facts } = readWav(file);
  return { ...facts, peak: peak(samples) };
}

/**
 * The faults of a job's output files: missing, wrong rate or length, silent, NaN or infinite samples.
 *
 * @param {{paths: object, sample_rate?: number, duration?: number}} done as in a `done` line
 * @param {number | null} inputSeconds the length of the input, if known
 * @returns {string[]} empty if there are none
 */
function outputFaults(done, inputSeconds) {
  const paths = Object.entries(done.paths);
  if (paths.length === 0) return ['no file was written'];
  return paths.flatMap(([stem, file]) => fileFaults(file, done, inputSeconds).map((fault) => `${stem} ${fault}`));
}

function fileFaults(file, { sample_rate: rate, duration }, inputSeconds) {
  if (!fs.existsSync(file)) return [`does not exist (${file})`];
  let facts;
  try {
    facts = wavFacts(file);
  } catch (error) {
    return [`cannot be read: ${error.message}`];
  }
  const faults = [];
  if (rate !== undefined && facts.rate !== rate) faults.push(`has ${facts.rate} Hz, not ${rate}`);
  for (const expected of [duration, inputSeconds].filter(Number.isFinite)) {
    const wrong = Math.abs(facts.seconds - expected) > CLOSE_S;
    if (wrong) faults.push(`is ${facts.seconds.toFixed(3)} s long, not ${expected.toFixed(3)}`);
  }
  if (Number.isNaN(facts.peak)) faults.push('contains NaN or infinity');
  else if (facts.peak === 0) faults.push('is silent');
  return [...new Set(faults)];
}

module.exports = { describeWorker, lengthOf, outputFaults, startTimed, timed, wavFacts };
