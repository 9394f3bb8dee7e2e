'use strict';
// Programs that run once: their output, and an error with it if they fail.

const { spawn } = require('node:child_process');
const { SetupError } = require('./arguments');

/**
 * @param {string[]} command
 * @param {{cwd?: string, env?: object, signal?: AbortSignal}} options aborting tells the process to end
 * @returns {Promise<{code: number | null, stdout: string, stderr: string}>} when the process is gone
 */
function runToEnd([program, ...words], options) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (text) => (texts[name] += text));
    }
    let failure = null;
    child.on('error', (error) => {
      failure = error;
      const message = `${program} could not be started: ${error.message}.`;
      if (child.pid === undefined) reject(new SetupError(message, { cause: error }));
    });
    child.on('close', (code) => (failure ? reject(failure) : resolve({ code, ...texts })));
  });
}

/** Like it, for a program that must succeed. */
async function runTool(command, options) {
  const done = await runToEnd(command, options);
  if (done.code === 0) return done;
  const said = done.stderr.trim() || done.stdout.trim();
  throw new SetupError(`\`${command.join(' ')}\` ended with status ${done.code}${said ? `. Its output: ${said}` : '.'}`);
}

module.exports = { runToEnd, runTool };
