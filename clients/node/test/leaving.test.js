'use strict';
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { gone, isAlive, real } = require('../testing/helpers');

const WINDOWS = process.platform === 'win32';
const POSIX = { skip: WINDOWS && 'there are no signals between processes' };
const KILLS = Number(process.env.DSU_TEST_KILLS ?? 80);
const AT_ONCE = 8;

/** A program with a worker; answers both, as soon as the worker has said its pid. */
async function parentWithWorker(how, env = {}, kind = 'demucs') {
  const file = path.join(__dirname, '..', 'testing', 'parent.js');
  const parent = spawn(process.execPath, [file, how, kind], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(parent, 'exit');
  const [text] = await once(parent.stdout, 'data');
  return { parent, ended, pid: Number(String(text)) };
}

// The worker of these ignores the end of its input, so that it stays unless it is told to go.
for (const [how, status] of Object.entries({ returns: 0, exits: 5, throws: 1, rejects: 1 })) {
  for (const prefix of ['', 'pool-']) {
    test(`no worker is left when a program ${how} (${prefix || 'worker'})`, POSIX, async () => {
      const { ended, pid } = await parentWithWorker(prefix + how, { FAKE_ORPHAN: '1' });
      assert.equal((await ended)[0], status);
      await gone(pid);
    });
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal} ends a pool's workers first and then the program by that signal`, POSIX, async () => {
    const { parent, ended, pid } = await parentWithWorker('pool-waits', { FAKE_ORPHAN: '1' });
    parent.kill(signal);
    assert.equal((await ended)[1], signal);
    assert.equal(isAlive(pid), false);
  });
}

test('workers of programs that are killed go too, however often', async () => {
  const env = { PARENT_OPTIONS: JSON.stringify(real({ args: ['--offline'] })) };
  const cycle = async (delayMs) => {
    const { parent, ended, pid } = await parentWithWorker('waits', env);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    parent.kill('SIGKILL');
    await ended;
    await gone(pid);
  };
  for (let i = 0; i < KILLS; i += AT_ONCE) {
    // At different moments of its start, from its first line on.
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, KILLS - i) }, (_, k) => cycle(((i + k) * 200) / KILLS)));
  }
});
