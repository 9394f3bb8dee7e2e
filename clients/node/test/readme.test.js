'use strict';
// The programs in the README run as they are printed there.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { findWorker } = require('..');
const { archiveName } = require('../lib/runtime');
const { serve, sha256, tarEntry, tarGz } = require('../testing/archives');
const { FAKE, gone, real, temporaryFolder, writeSong } = require('../testing/helpers');

const CLIENT = path.join(__dirname, '..');
const POSIX = { skip: process.platform === 'win32' && 'the programs of these tests are shell scripts' };
const README = fs.readFileSync(path.join(CLIENT, 'README.md'), 'utf8');
const PROGRAMS = [...README.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
const [FIRST, LIVE, POOL, RUNTIME, MAIN, PRELOAD, ...MORE] = PROGRAMS;

/** A folder of a user who has installed the client. */
function project(t, programs) {
  const folder = temporaryFolder(t);
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(CLIENT, path.join(folder, 'node_modules', 'dsu-client'), 'junction');
  fs.cpSync(path.join(CLIENT, 'testing', 'electron.js'), path.join(folder, 'node_modules', 'electron.js'));
  for (const [name, code] of Object.entries(programs)) fs.writeFileSync(path.join(folder, name), code);
  return folder;
}

/** A shell script that runs a command. */
function script(words) {
  return `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(' ')} "$@"\n`;
}

/** A folder with programs, which DSU_DIR may name. */
function programs(t, commands) {
  const folder = temporaryFolder(t);
  for (const [name, words] of Object.entries(commands)) {
    fs.writeFileSync(path.join(folder, `dsu-${name}`), script(words), { mode: 0o755 });
  }
  return folder;
}

async function run(folder, words, env) {
  const child = spawn(process.execPath, words, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  return output.trim().split('\n');
}

/** A release as the README has it, with programs that misbehave only on demand. */
async function release(t) {
  const entries = ['dsu', 'dsu-demucs'].map((name) => tarEntry(`dsu/${name}`, { content: script(FAKE), mode: 0o755 }));
  const archive = tarGz(...entries);
  const { base } = await serve(t, { [archiveName()]: archive });
  return { base, checksums: `${sha256(archive)}  ${archiveName()}\n` };
}

test('all programs of the README are known here', () => {
  assert.deepEqual(MORE, []);
  assert.match(POOL, /WorkerPool/);
  assert.match(RUNTIME, /ensureRuntime/);
  assert.match(MAIN, /ipcMain/);
  assert.match(PRELOAD, /contextBridge/);
});

test('the first program separates a song with a real worker', POSIX, async (t) => {
  const folder = project(t, { 'first.mjs': FIRST });
  writeSong(path.join(folder, 'song.wav'));
  const env = { DSU_DIR: programs(t, { bsroformer: findWorker('bsroformer', real()) }) };
  const output = await run(folder, ['first.mjs'], env);
  assert.equal(fs.realpathSync(output.at(-1)), fs.realpathSync(path.join(folder, 'stems', 'song', 'vocals.wav')));
  assert.equal(fs.readdirSync(path.join(folder, 'stems', 'song')).length, 4);
});

test('the stems of the live program are written while the song is separated', POSIX, async (t) => {
  const folder = project(t, { 'live.mjs': LIVE });
  writeSong(path.join(folder, 'song.wav'));
  const output = await run(folder, ['live.mjs'], { DSU_DIR: programs(t, { dsu: findWorker('dsu', real()) }) });
  assert.equal(output.at(-1), '1');
  const sizes = fs.readdirSync(folder).filter((name) => name.endsWith('.f32')).map((name) => fs.statSync(path.join(folder, name)).size);
  assert.deepEqual(sizes, Array(4).fill(44100 * 2 * 4));
});

test('the pool separates two songs and sends one through two models', POSIX, async (t) => {
  const folder = project(t, { 'pool.mjs': POOL });
  const env = { DSU_DIR: programs(t, { demucs: FAKE, bsroformer: FAKE, 'audio-separator': FAKE }) };
  const output = await run(folder, ['pool.mjs'], env);
  assert.deepEqual(output, ['fulfilled', 'fulfilled', '75', path.resolve('/', fs.realpathSync(folder), 'restored', 'a.wav')]);
});

test('the programs are fetched and started', POSIX, async (t) => {
  const { base, checksums } = await release(t);
  const folder = project(t, { 'runtime.mjs': RUNTIME, SHA256SUMS: checksums });
  const output = await run(folder, ['-r', 'electron', 'runtime.mjs'], { HOME: folder, RELEASE: base });
  assert.deepEqual([output[0], output.at(-2)], ['download 100', 'unpack 100']);
  assert.equal(fs.readdirSync(path.join(folder, '.my-application', 'dsu')).length, 1);
});

test('the application of Electron fetches, separates and leaves nothing running', POSIX, async (t) => {
  const drive = `
    require('./preload.js');
    require('./main.js');
    const seen = [];
    stems.onProgress((percent) => seen.push(percent));
    stems.separate().then(() => stems.separate()).then(() => {
      console.log(JSON.stringify([seen[0], seen.at(-1)]));
      require('electron').app.quit();
    });
  `;
  const { base, checksums } = await release(t);
  const folder = project(t, { 'main.js': MAIN, 'preload.js': PRELOAD, SHA256SUMS: checksums, 'drive.js': drive });
  const env = { DATA: folder, RELEASE: base, SONG: '/songs/song.wav', FAKE_PID_FILE: path.join(folder, 'pid') };
  const [line] = await run(folder, ['drive.js'], env);
  assert.deepEqual(JSON.parse(line), [100, 50]); // of the download, and of the song
  assert.equal(fs.readdirSync(path.join(folder, 'userData', 'dsu')).length, 1);
  await gone(Number(fs.readFileSync(env.FAKE_PID_FILE, 'utf8')));
});
