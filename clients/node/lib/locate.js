'use strict';
// Finds the program of a worker: an executable of a frozen folder, or a script of a checkout with its own Python.

const fs = require('node:fs');
const path = require('node:path');
const { DSUError } = require('./errors');
const { WORKERS } = require('./protocol');

const WINDOWS = process.platform === 'win32';

/** `demucs` for `demucs`, `dsu-demucs`, `dsu-demucs.exe` or a path to such a file; null for other names. */
function kindOf(name) {
  const word = path.basename(name.replace(/\\/g, '/')).replace(/\.exe$/i, '').replace(/^dsu-/, '');
  return Object.hasOwn(WORKERS, word) ? word : null;
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** The checkout that contains this package, if any. */
function ownCheckout() {
  return path.resolve(__dirname, '..', '..', '..');
}

function checkoutPython(folder) {
  return path.join(folder, '.venv', ...(WINDOWS ? ['Scripts', 'python.exe'] : ['bin', 'python']));
}

/** The command that starts this worker from `folder`, or null if it is not in there. */
function commandIn(folder, kind, python) {
  const { name, script } = WORKERS[kind];
  const executable = name + (WINDOWS ? '.exe' : '');
  const frozen = [path.join(folder, executable), path.join(folder, 'dist', 'dsu', executable)].find(isFile);
  if (frozen) return [frozen];
  const source = path.join(folder, ...script.split('/'));
  const interpreter = python ?? checkoutPython(folder);
  if (!isFile(source)) return null;
  if (python === undefined && !isFile(interpreter)) {
    const advice = 'Run `python3 run.py demo` there once, or set `python`.';
    throw new DSUError('worker_not_found', `The checkout ${folder} has no Python environment yet. ${advice}`);
  }
  return [interpreter, source];
}

/**
 * The command that starts a worker.
 *
 * @param {string} name a kind (`demucs`), the name of an executable (`dsu-demucs.exe`), or the path of one
 * @param {{command?: string[], dir?: string, python?: string}} options `command` is used as it is; `dir` is a frozen
 *   folder or a checkout, by default the environment variable DSU_DIR, then the checkout that contains this package
 * @returns {string[]}
 */
function findWorker(name, { command, dir, python } = {}) {
  if (command) return [...command];
  if (/[\\/]/.test(name) && isFile(name)) return [path.resolve(name)];
  const kind = kindOf(name);
  if (!kind) {
    const known = Object.keys(WORKERS).join(', ');
    throw new DSUError('worker_not_found', `There is no worker \`${name}\`. The workers are: ${known}.`);
  }
  const folders = dir ? [dir] : [process.env.DSU_DIR, ownCheckout()].filter(Boolean);
  for (const folder of folders) {
    const found = commandIn(path.resolve(folder), kind, python);
    if (found) return found;
  }
  const places = folders.join(' and ');
  const advice = 'Set `dir` or DSU_DIR to the folder of the DSU executables or to a checkout.';
  throw new DSUError('worker_not_found', `The worker ${WORKERS[kind].name} was not found in ${places}. ${advice}`);
}

module.exports = { findWorker, kindOf };
