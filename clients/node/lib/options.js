'use strict';
// The options of a worker, and the command line that passes them to its program.

const DEFAULTS = Object.freeze({
  restart: false,
  maxRestarts: 3,
  startTimeoutMs: 120_000,
  silenceTimeoutMs: 60_000,
  cancelTimeoutMs: 30_000,
  exitTimeoutMs: 5_000,
  termTimeoutMs: 3_000,
  maxLineBytes: 64 * 1024 * 1024,
});

const FLAGS = [
  ['device', '--device'],
  ['devices', '--devices'], // an array becomes a list with commas
  ['modelsDir', '--models-dir'],
  ['threads', '--threads'],
  ['maxCachedModels', '--max-cached-models'],
];
const SWITCHES = [
  ['offline', '--offline'],
  ['strict', '--strict'],
];

/** The arguments after the command itself. */
function workerArguments(options) {
  const flags = FLAGS.filter(([name]) => options[name] !== undefined);
  const switches = SWITCHES.filter(([name]) => options[name]);
  const values = flags.flatMap(([name, flag]) => [flag, String(options[name])]);
  return ['--worker', ...values, ...switches.map(([, flag]) => flag), ...(options.args ?? [])];
}

module.exports = { DEFAULTS, workerArguments };
