'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { findWorker } = require('..');
const { kindOf } = require('../lib/locate');
const { temporaryFolder } = require('../testing/helpers');

const EXE = process.platform === 'win32' ? '.exe' : '';

function touch(...words) {
  const file = path.join(...words);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, '');
  return file;
}

test('a kind is known by all its names', () => {
  const names = ['demucs', 'dsu-demucs', 'dsu-demucs.exe', '/opt/dsu/dsu-demucs', 'C:\\dsu\\dsu-demucs.exe'];
  assert.deepEqual(names.map(kindOf), names.map(() => 'demucs'));
  assert.deepEqual(['spleeter', 'toString'].map(kindOf), [null, null]);
});

test('a frozen folder has executables', (t) => {
  const folder = temporaryFolder(t);
  const file = touch(folder, `dsu-audio-separator${EXE}`);
  assert.deepEqual(findWorker('audio-separator', { dir: folder }), [file]);
  assert.deepEqual(findWorker('dsu-audio-separator.exe', { dir: folder }), [file]);
  assert.deepEqual(findWorker(file), [file]);
});

test('a checkout has a build, or scripts and a Python', (t) => {
  const folder = temporaryFolder(t);
  const script = touch(folder, 'workers', 'demucs_worker.py');
  assert.throws(() => findWorker('demucs', { dir: folder }), /no Python environment yet/);
  assert.deepEqual(findWorker('demucs', { dir: folder, python: 'python3.12' }), ['python3.12', script]);
  const python = touch(folder, '.venv', ...(EXE ? ['Scripts', 'python.exe'] : ['bin', 'python']));
  assert.deepEqual(findWorker('demucs', { dir: folder }), [python, script]);
  const built = touch(folder, 'dist', 'dsu', `dsu-demucs${EXE}`);
  assert.deepEqual(findWorker('demucs', { dir: folder }), [built]);
});

test('DSU_DIR says where to look', (t) => {
  const folder = temporaryFolder(t);
  const file = touch(folder, `dsu-demucs${EXE}`);
  const before = process.env.DSU_DIR;
  t.after(() => (before === undefined ? delete process.env.DSU_DIR : (process.env.DSU_DIR = before)));
  process.env.DSU_DIR = folder;
  assert.deepEqual(findWorker('demucs'), [file]);
});

test('what is not there is said, with where was looked', (t) => {
  const folder = temporaryFolder(t);
  assert.throws(() => findWorker('demucs', { dir: folder }), { code: 'worker_not_found' });
  assert.throws(() => findWorker('demucs', { dir: folder }), (error) => error.message.includes(folder));
  assert.throws(() => findWorker('spleeter'), /The workers are: demucs, bsroformer, audio-separator, audiosep/);
});
