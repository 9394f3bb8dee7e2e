'use strict';
// dsu.js itself, in a process that a test starts as Max does; however that ends, no worker stays.
const assert = require('node:assert/strict');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { FAKE, gone, temporaryFolder } = require('../../node/testing/helpers');
const { LIMIT_MS } = require('./helpers');

const MAX = path.resolve(__dirname, '..');
const STAND_IN = path.join(__dirname, 'stand-in');
const POSIX = { skip: process.platform === 'win32' && 'the worker of these tests is a shell script' };

/** A folder with a program dsu-demucs: the fake worker, which writes `pid` and does not mind the end of its input. */
function programs(t) {
  const folder = temporaryFolder(t);
  const words = FAKE.map((word) => `'${word}'`).join(' ');
  const text = `#!/bin/sh\necho $$ > '${folder}/pid'\nFAKE_ORPHAN=1 exec ${words} "$@"\n`;
  fs.writeFileSync(path.join(folder, 'dsu-demucs'), text, { mode: 0o755 });
  return folder;
}

/** A folder in which the client is found as after `npm install`. */
function installed(t) {
  const folder = temporaryFolder(t);
  fs.symlinkSync(path.join(MAX, '..', 'node'), path.join(folder, 'dsu-client'), 'junction');
  return folder;
}

/** The script, where modules are found in `folders`; `heard(…words)` waits for a message that begins so. */
function startScript(t, file, folders, execArgv = []) {
  const env = { ...process.env, NODE_PATH: folders.join(path.delimiter) };
  const child = fork(file, { env, execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  const sent = [];
  child.on('message', ({ outlet }) => sent.push(outlet));
  const heard = async (...words) => {
    const find = () => sent.find((atoms) => words.every((word, i) => atoms[i] === word));
    while (!find()) await once(child, 'message');
    return find();
  };
  return { child, ended, heard };
}

for (const [how, end] of Object.entries({
  'is stopped by Max': (child) => child.kill('SIGTERM'),
  'is left alone by Max': (child) => child.disconnect(),
})) {
  test(`no worker is left when the script ${how}`, POSIX, async (t) => {
    const folder = programs(t);
    const { child, ended, heard } = startScript(t, path.join(MAX, 'dsu.js'), [installed(t), STAND_IN]);
    const song = path.join(folder, 'song.wav');
    fs.writeFileSync(song, '');
    child.send(['executables', folder]);
    child.send(['worker', 'demucs']);
    child.send(['separate', song, 'begun']);
    await heard('state', 'running'); // a script that waits for a job does not end by itself
    end(child);
    await gone(Number(fs.readFileSync(path.join(folder, 'pid'), 'utf8')), LIMIT_MS);
    await ended;
  });
}

test('a client that was not installed is an error that says what to send', async (t) => {
  const folder = temporaryFolder(t);
  fs.cpSync(path.join(MAX, 'lib'), path.join(folder, 'lib'), { recursive: true });
  fs.copyFileSync(path.join(MAX, 'dsu.js'), path.join(folder, 'dsu.js'));
  const { ended, heard } = startScript(t, path.join(folder, 'dsu.js'), [STAND_IN]);
  const [, message] = await heard('error');
  assert.match(message, /script npm install/);
  assert.equal((await ended)[0], 1);
});

test('a Node.js that is too old is an error that says what to do', async (t) => {
  const preload = path.join(temporaryFolder(t), 'old.js');
  fs.writeFileSync(preload, "Object.defineProperty(process, 'versions', { value: { node: '16.6.0' } });");
  const { ended, heard } = startScript(t, path.join(MAX, 'dsu.js'), [installed(t), STAND_IN], ['-r', preload]);
  const [, message, code] = await heard('error');
  assert.match(message, /This is Node\.js 16\.6\.0, but 18 or newer is needed.*node_bin_path/);
  assert.deepEqual([code, (await ended)[0]], ['node_too_old', 1]);
});
