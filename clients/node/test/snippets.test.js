'use strict';
// Programs written for the protocol before there was this client go on working with real workers.
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { after, test } = require('node:test');
const { findWorker } = require('..');
const { fakeWorker, gone, real, temporaryFolder, writeSong } = require('../testing/helpers');
const { WorkerPool, batchProcess, processBatchOptimized } = require('../testing/snippets/batches');

const WINDOWS = process.platform === 'win32';
const POSIX = { skip: WINDOWS && 'the launcher of these tests is a shell script' };
const folder = temporaryFolder({ after });
const song = writeSong(path.join(folder, 'song.wav'));
const options = real({ modelsDir: path.join(folder, 'models'), offline: true });

/** An executable of the name that the programs expect, which starts the worker under test. */
function launcher() {
  const file = path.join(folder, 'dsu-bsroformer.exe');
  const words = findWorker('bsroformer', options).map((word) => `'${word}'`);
  const settings = ['--device', 'cpu', '--threads', '1', '--offline', '--models-dir', `'${options.modelsDir}'`];
  fs.writeFileSync(file, `#!/bin/sh\nexec ${[...words, ...settings].join(' ')} "$@"\n`, { mode: 0o755 });
  return file;
}

/** A program of the snippets; `heard(text)` waits until it has printed that. */
function run(name, env) {
  const file = path.join(__dirname, '..', 'testing', 'snippets', name);
  const child = spawn(process.execPath, [file], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = once(child, 'close').then(([status]) => status);
  const heard = async (text) => {
    while (!output.includes(text)) await once(child.stdout, 'data');
    return output;
  };
  return { child, ended, heard };
}

test('the README integration separates a song and ends on SIGINT', POSIX, async () => {
  const exe = launcher();
  const output = path.join(folder, 'out');
  const env = { DSU_DIR: folder, EXE: path.basename(exe), INPUT: song, OUTPUT: output, MODEL: 'dsu_mini' };
  const program = run('readme-integration.js', env);
  await program.heard('Output files:');
  program.child.kill('SIGINT');
  const printed = await program.heard('Status: exiting');
  assert.equal(await program.ended, 0);
  assert.doesNotMatch(printed, /\[Worker\]/);
  assert.match(printed, /Separated in [\d.]+s/);
  assert.equal(fs.readdirSync(path.join(output, 'song')).length, 4);
});

test('DSUWorker.shutdown ends the worker with status 0', POSIX, async () => {
  const program = run('graceful-shutdown.js', { EXE: launcher(), THEN: 'shutdown' });
  await program.heard('Worker exited with code 0');
  assert.equal(await program.ended, 0);
});

for (const [how, status] of [['SIGTERM', 0], ['throw', 1]]) {
  test(`WorkerPool leaves no worker after ${how}`, POSIX, async () => {
    const program = run('graceful-shutdown.js', { EXE: launcher(), THEN: how });
    if (how === 'SIGTERM') {
      await program.heard('ready');
      program.child.kill(how);
    }
    const pid = Number.parseInt(await program.heard('\n'), 10);
    assert.equal(await program.ended, status);
    await gone(pid);
  });
}

test('batchProcess and processBatchOptimized get their results', async () => {
  const worker = await batchProcess([song], 'dsu_mini', () => path.join(folder, 'batch'), options);
  const jobs = ['one', 'two'].map((name) => ({ model: 'dsu_mini', input: song, output: path.join(folder, name) }));
  const results = await processBatchOptimized(jobs, worker);
  assert.deepEqual(results.map(({ job, result }) => [job, result.status, result.model_from_cache]), [
    [jobs[0], 'done', true],
    [jobs[1], 'done', true],
  ]);
  await worker.shutdown();
});

test('processBatchOptimized runs the jobs of one model together', async (t) => {
  const jobs = ['a', 'b', 'c', 'd'].map((input, i) => ({ input, model: i % 2 ? 'good' : 'echo' }));
  const results = await processBatchOptimized(jobs, fakeWorker(t));
  assert.deepEqual(results.map(({ job }) => job.input), ['a', 'c', 'b', 'd']);
});

test('the pool of three workers starts them together and asks one after another', async () => {
  const pool = new WorkerPool(options);
  await pool.initialize();
  const { bsResult, demucsResult, apolloResult } = await pool.runWorkflow([
    { cmd: 'separate', model: 'dsu_mini', input: song, output: path.join(folder, 'workflow') },
    { cmd: 'list_models' },
    { cmd: 'get_status' },
  ]);
  assert.equal(bsResult.files.length, 4);
  assert.ok(demucsResult.models.includes('htdemucs'));
  assert.equal(apolloResult.ready, true);
  await Promise.all(Object.values(pool.workers).map((worker) => worker.shutdown()));
});
