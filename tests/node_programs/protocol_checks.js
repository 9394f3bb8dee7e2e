'use strict';
// Checks of the protocol with a running worker: ids, progress, errors, cancelling, exit.

const fs = require('node:fs');
const path = require('node:path');
const { once } = require('node:events');
const { wavFacts } = require('./jobs');

const WATCHDOG_ID = 'dsu-client-watchdog';
// Enough jobs that a batch still runs when its first progress line arrives.
const MANY = 32;

/** All lines of a job carry its id, and its progress never decreases and ends at 100. */
function checkLines(checks, name, { lines, last }) {
  const { id } = last;
  const strangers = lines.filter((line) => line.id !== id && line.id !== WATCHDOG_ID);
  checks.check(`${name}: every line carries the request's id`, strangers.length === 0, JSON.stringify(strangers[0]));
  const percents = lines.filter(({ status }) => status === 'progress').map(({ percent }) => percent);
  const forward = percents.every((percent, i) => i === 0 || percent >= percents[i - 1]);
  const right = forward && percents.at(-1) === 100;
  checks.check(`${name}: progress goes forward and ends at 100`, right, percents.join(', '));
}

/** A missing file and an unknown command are errors with a code, and the worker survives. */
async function checkMissingFile(context, pool, worker, request) {
  const { checks } = context;
  const missing = path.join(context.config.outputDir, 'there_is_no_such_file.wav');
  const code = await errorCode(context, pool.run(worker, { ...request, input: missing }));
  checks.equal(`${worker}: a missing file is an \`input_not_found\``, code, 'input_not_found');
  const unknown = await errorCode(context, pool.run(worker, { cmd: 'no_such_command' }));
  checks.equal(`${worker}: a command that is not there is an \`unknown_command\``, unknown, 'unknown_command');
  const { status } = await pool.run(worker, { cmd: 'ping' });
  checks.equal(`${worker}: it answers after the errors`, status, 'pong');
}

/** Cancelling a waiting job leaves nothing, a running one no incomplete file, and the worker survives. */
async function checkCancel(context, pool, worker, request) {
  const { checks } = context;
  const waiting = path.join(context.config.outputDir, `${worker}_waiting`);
  const running = path.join(context.config.outputDir, `${worker}_running`);
  for (const folder of [waiting, running]) fs.rmSync(folder, { recursive: true, force: true });
  const jobs = Array.from({ length: MANY }, (_, i) => ({ ...request, output_dir: path.join(running, `${i}`) }));
  const target = pool.worker(worker);
  const [batch, behind] = [{ cmd: 'batch', id: 'running', jobs }, { ...request, id: 'waiting', output_dir: waiting }];
  const controller = new AbortController();
  const codes = await Promise.all([
    errorCode(context, target.send(batch, { signal: controller.signal, onProgress: () => controller.abort() })),
    errorCode(context, target.send(behind)),
    target.cancel('waiting'),
  ]);
  checks.equal(`${worker}: a running batch is cancelled`, codes[0], 'cancelled');
  checks.equal(`${worker}: a waiting job is cancelled`, codes[1], 'cancelled');
  checks.equal(`${worker}: \`cancel\` has found the waiting job`, codes[2].found, true);
  checks.check(`${worker}: the waiting job has left nothing`, !fs.existsSync(waiting), waiting);
  const broken = filesBelow(running).filter((file) => !isWhole(file));
  checks.check(`${worker}: the batch has left nothing half-written`, broken.length === 0, broken.join(', '));
  fs.rmSync(running, { recursive: true, force: true });
  const { status } = await pool.run(worker, { cmd: 'ping' });
  checks.equal(`${worker}: it answers after cancelling`, status, 'pong');
}

/** `exit` is answered, the status is 0, and the process is gone. */
async function checkExit(checks, pool, worker) {
  const target = pool.worker(worker);
  const { pid } = target;
  const ended = once(target, 'exit');
  const { status } = await target.send({ cmd: 'exit' });
  checks.equal(`${worker}: \`exit\` is answered`, status, 'exiting');
  const [{ code }] = await ended;
  checks.equal(`${worker}: it ends with status 0`, code, 0);
  checks.check(`${worker}: no process is left`, !isAlive(pid), `process ${pid} still runs`);
}

/** The error code of a request, or null if it succeeds. */
async function errorCode({ signal }, reply) {
  try {
    await reply;
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (error.code === undefined) throw error;
    return error.code;
  }
}

function filesBelow(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(file) : [file];
  });
}

function isWhole(file) {
  try {
    return wavFacts(file).frames > 0;
  } catch {
    return false;
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

module.exports = { checkCancel, checkExit, checkLines, checkMissingFile };
