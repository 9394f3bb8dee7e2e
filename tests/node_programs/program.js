'use strict';
// The frame of every program: flags, report, exit status, and no process left behind, even at Ctrl+C.
// Status 0: all checks passed. 1: a check or a job failed. 2: wrong command line or set-up of the machine.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { DSUError, WorkerPool } = require('../../clients/node');
const { SHARED_OPTIONS, readConfig, workerCommand } = require('../node_test_config');
const { SetupError, helpText, parseArguments } = require('./arguments');
const { Checks } = require('./checks');

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
// Errors of the machine's set-up, not of the workers.
const SETUP_CODES = ['device_unavailable', 'spawn_failed', 'worker_not_found'];
// Far more than even a busy machine needs.
const START_TIMEOUT_MS = 300_000;
const CANCEL_TIMEOUT_MS = 300_000;

/** The state of a running program. */
class Context {
  #controller = new AbortController();
  #pools = [];

  constructor({ name, reportName = 'report.json' }, values) {
    this.values = values;
    this.config = readConfig(name, values, reportName);
    this.checks = new Checks(this.say);
    this.startedAt = new Date();
    /** The signal that interrupted the program. */
    this.interruptedBy = null;
  }

  /** Aborted when the program is to stop. */
  get signal() {
    return this.#controller.signal;
  }

  say(text) {
    process.stdout.write(`${text}\n`);
  }

  /**
   * Workers of these kinds, which start on demand and end with the program.
   *
   * @param {string[]} kinds
   * @param {number} maxCachedModels the number of models that each keeps loaded
   */
  openPool(kinds, maxCachedModels) {
    this.signal.throwIfAborted();
    const { modelsDir, device, threads } = this.config;
    const pool = new WorkerPool({
      modelsDir,
      device,
      threads,
      maxCachedModels,
      offline: true,
      restart: false,
      handleSignals: false,
      idleTimeoutMs: 0,
      startTimeoutMs: START_TIMEOUT_MS,
      cancelTimeoutMs: CANCEL_TIMEOUT_MS,
      workers: Object.fromEntries(kinds.map((kind) => [kind, { command: workerCommand(this.config, kind) }])),
    });
    this.#pools.push(pool);
    return pool;
  }

  /** Stop all workers; settles when their processes have ended. */
  async close() {
    await Promise.all(this.#pools.map((pool) => pool.shutdown()));
  }

  /** Stop all work; a second signal does not wait for that. */
  interrupt(signal) {
    if (this.interruptedBy) process.exit(signalStatus(signal));
    this.interruptedBy = signal;
    this.#controller.abort();
    this.close();
  }
}

function signalStatus(signal) {
  return 128 + os.constants.signals[signal];
}

/**
 * Run a program. Sets the exit status.
 *
 * @param {{name: string, summary: string, reportName?: string, options: object[], examples: string[],
 *   run: (context: Context) => Promise<object>}} program `run` gives what belongs into the report
 */
async function runProgram(program) {
  const options = [...program.options, ...SHARED_OPTIONS];
  try {
    const values = parseArguments(process.argv.slice(2), options);
    if (values.help) process.stdout.write(`${helpText({ ...program, options })}\n`);
    else process.exitCode = await runToStatus(program, new Context(program, values));
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`${program.name}: ${error.message}\n`);
    process.exitCode = 2;
  }
}

async function runToStatus(program, context) {
  const listeners = SIGNALS.map((signal) => [signal, () => context.interrupt(signal)]);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  // The reader of the output has gone, such as `head`.
  process.stdout.on('error', () => context.interrupt('SIGTERM'));
  try {
    const details = await program.run(context);
    conclude(context, details);
    return context.checks.failed > 0 ? 1 : 0;
  } catch (error) {
    return failureStatus(context, error);
  } finally {
    await context.close();
    for (const [signal, listener] of listeners) process.off(signal, listener);
  }
}

function failureStatus(context, error) {
  if (context.interruptedBy) {
    process.stderr.write(`${context.config.program}: stopped.\n`);
    return signalStatus(context.interruptedBy);
  }
  if (error instanceof SetupError) throw error;
  process.stderr.write(`${context.config.program}: ${explain(error)}\n`);
  if (isSetupError(error)) return 2;
  if (!(error instanceof DSUError) && process.env.DSU_DEBUG) process.stderr.write(`${error.stack}\n`);
  writeReport(context, { error: { code: error.code ?? 'internal', message: error.message } });
  return 1;
}

/** The message and, if there is one, the hint. */
function explain({ message, hint }) {
  return hint ? `${message} ${hint}` : message;
}

/** Is it the machine's set-up, not the worker's fault? */
function isSetupError(error) {
  return error instanceof DSUError && SETUP_CODES.includes(error.code);
}

function conclude(context, details) {
  writeReport(context, details);
  context.say(`\nReport: ${context.config.report}`);
  context.say(context.checks.summary());
}

/** The report: conditions, results and all checks. */
function writeReport({ config, checks, startedAt }, details) {
  const report = {
    program: config.program,
    started: startedAt.toISOString(),
    seconds: round((Date.now() - startedAt.getTime()) / 1000),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    executables: config.exeDir ?? 'the scripts of this checkout',
    passed: checks.failed === 0 && !details.error,
    ...details,
    checks: checks.rows,
  };
  writeFile(config.report, `${JSON.stringify(report, null, 2)}\n`);
}

function writeFile(file, text) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

function round(value, digits = 3) {
  return Number(value.toFixed(digits));
}

module.exports = { explain, isSetupError, round, runProgram, writeFile };
