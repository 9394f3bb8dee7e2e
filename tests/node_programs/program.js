'use strict';
// The frame of every program: flags in, a report and an exit status out, and no process left behind, also at Ctrl+C.
// Status 0: all checks passed. 1: a check or a job failed. 2: the command line or the machine's set-up is wrong.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { DSUError, WorkerPool } = require('../../clients/node');
const { SHARED_OPTIONS, readConfig, workerCommand } = require('../node_test_config');
const { SetupError, helpText, parseArguments } = require('./arguments');
const { Checks } = require('./checks');

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
// What says that the machine lacks something, not that the workers do wrong.
const SETUP_CODES = ['device_unavailable', 'spawn_failed', 'worker_not_found'];
// Far more than a machine takes that does other things as well.
const START_TIMEOUT_MS = 300_000;
const CANCEL_TIMEOUT_MS = 300_000;

/** What a program works with while it runs. */
class Context {
  #controller = new AbortController();
  #pools = [];

  constructor({ name, reportName = 'report.json' }, values) {
    this.values = values;
    this.config = readConfig(name, values, reportName);
    this.checks = new Checks(this.say);
    this.startedAt = new Date();
    /** The signal that has interrupted the program. */
    this.interruptedBy = null;
  }

  /** Aborted when the program is told to stop. */
  get signal() {
    return this.#controller.signal;
  }

  say(text) {
    process.stdout.write(`${text}\n`);
  }

  /**
   * Workers of these kinds, which start when they are needed and are gone when the program ends.
   *
   * @param {string[]} kinds
   * @param {number} maxCachedModels how many models each keeps loaded
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

  /** End all workers; settles when their processes are gone. */
  async close() {
    await Promise.all(this.#pools.map((pool) => pool.shutdown()));
  }

  /** Stop whatever goes on; a second signal does not wait for it. */
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
 * Run a program to its end. Sets the exit status.
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
  // Nobody reads any more, as when the output goes to `head`.
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

/** What is wrong and, where the worker says it, what to do. */
function explain({ message, hint }) {
  return hint ? `${message} ${hint}` : message;
}

/** Does the machine lack something, rather than a worker do wrong? */
function isSetupError(error) {
  return error instanceof DSUError && SETUP_CODES.includes(error.code);
}

function conclude(context, details) {
  writeReport(context, details);
  context.say(`\nReport: ${context.config.report}`);
  context.say(context.checks.summary());
}

/** The report: where and when, what the program has found, and every check. */
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
