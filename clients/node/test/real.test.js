'use strict';
// Real workers with the built-in model, which needs no download.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { CancelledError, DSUWorker, WorkerPool } = require('..');
const { COMMANDS, METHODS } = require('../lib/protocol');
const { real, temporaryFolder, writeSong } = require('../testing/helpers');

const STEMS = ['bass', 'drums', 'other', 'vocals'];
const outer = { after };
const folder = temporaryFolder(outer);
const song = writeSong(path.join(folder, 'Größe.wav'));
const long = writeSong(path.join(folder, 'long.wav'), 120);
const options = real({ modelsDir: path.join(folder, 'models'), offline: true });
let worker;

before(async () => {
  worker = new DSUWorker('bsroformer', options);
  const ready = await worker.start();
  assert.deepEqual([ready.device, ready.protocol], ['cpu', 1]);
});
after(() => worker.shutdown());

test('the tables of the client fit what the worker describes', async () => {
  const { commands, events, worker: name } = await worker.describe();
  assert.equal(name, 'dsu-bsroformer');
  const methods = new Set([...Object.values(METHODS), 'cancel', 'exit']);
  assert.deepEqual(Object.keys(commands).filter((cmd) => !methods.has(cmd)), []);
  assert.deepEqual(Object.keys(commands).filter((cmd) => COMMANDS[cmd].job !== commands[cmd].job), []);
  assert.ok('progress' in events);
});

test('a song is separated, with progress', async () => {
  const percents = [];
  const output = path.join(folder, 'stems');
  const done = await worker.separate(
    { model: 'dsu_mini', input: song, output },
    { onProgress: ({ percent }) => percents.push(percent) },
  );
  assert.deepEqual([...done.stems].sort(), STEMS);
  for (const file of Object.values(done.paths)) assert.ok(fs.statSync(file).size > 44, file);
  assert.equal(done.output_dir, path.join(output, 'Größe'));
  assert.equal(percents.at(-1), 100);
  assert.deepEqual(percents, [...percents].sort((a, b) => a - b));
});

test('a recipe combines the stems of its steps', async (t) => {
  const dsu = new DSUWorker('dsu', options);
  t.after(() => dsu.shutdown());
  const { recipes } = await dsu.listRecipes();
  assert.ok(recipes.some(({ name, installed }) => name === 'dsu_mini' && installed));
  const steps = { band: { model: 'dsu_mini' }, left: { residual: ['band.vocals'] } };
  const recipe = { steps, outputs: { voice: 'band.vocals', rest: { from: 'left', format: 'flac' } }, sums_to_mix: true };
  const done = await dsu.separate({ input: song, output: path.join(folder, 'recipe'), recipe });
  assert.deepEqual(done.stems, ['voice', 'rest']);
  assert.deepEqual(done.files, ['voice.wav', 'rest.flac']);
  const wrong = { steps, outputs: { voice: 'bnd.vocals' } };
  await assert.rejects(dsu.separate({ input: song, output: folder, recipe: wrong }), (error) => {
    assert.equal(error.field, 'recipe.outputs.voice');
    assert.ok(error.suggestions.includes('band'));
    return true;
  });
  const running = dsu.separate({ input: long, output: path.join(folder, 'cancelled'), recipe }, {
    onProgress: () => dsu.cancel(),
  });
  await assert.rejects(running, CancelledError);
  assert.equal(fs.existsSync(path.join(folder, 'cancelled')), false);
});

test('an error of the worker arrives with its code and its suggestions', async () => {
  const request = { model: 'dsu_minni', input: song, output: folder };
  await assert.rejects(worker.separate(request), (error) => {
    assert.equal(error.code, 'unknown_model');
    assert.ok(error.suggestions.includes('dsu_mini'));
    return true;
  });
  await assert.rejects(worker.separate({ ...request, model: 'dsu_mini', input: 'nothing.wav' }), { code: 'input_not_found' });
});

test('a running job is aborted and leaves nothing; one behind it is not touched', async () => {
  const output = path.join(folder, 'aborted');
  const controller = new AbortController();
  const running = worker.separate(
    { model: 'dsu_mini', input: long, output },
    { signal: controller.signal, onProgress: () => controller.abort() },
  );
  const behind = worker.separate({ model: 'dsu_mini', input: song, output: path.join(folder, 'behind'), stems: ['bass'] });
  await assert.rejects(running, CancelledError);
  assert.equal(fs.existsSync(output), false);
  assert.deepEqual((await behind).stems, ['bass']);
});

test('leaving a stream cancels the job', async () => {
  const output = path.join(folder, 'left');
  for await (const line of worker.stream({ cmd: 'separate', model: 'dsu_mini', input: long, output })) {
    if (line.status === 'progress') break;
  }
  await worker.separate({ model: 'dsu_mini', input: song, output: path.join(folder, 'next'), stems: ['bass'] });
  assert.equal(fs.existsSync(output), false);
});

test('a pipeline sends a stem through a second step', async () => {
  const pool = new WorkerPool({ ...options, handleSignals: false });
  const output = path.join(folder, 'pipeline');
  const { results, path: last } = await pool.pipeline(
    [
      { worker: 'bsroformer', model: 'dsu_mini', stems: ['vocals'] },
      { worker: 'bsroformer', model: 'dsu_mini', take: 'Drums' },
    ],
    { input: song, output },
  );
  assert.equal(results.length, 2);
  assert.equal(last, path.join(output, 'vocals', 'drums.wav'));
  await pool.shutdown();
});

test('a worker that is killed in the middle of a job is replaced', async () => {
  const mortal = new DSUWorker('bsroformer', { ...options, restart: true });
  const lost = mortal.separate(
    { model: 'dsu_mini', input: long, output: path.join(folder, 'lost') },
    { onProgress: () => process.kill(mortal.pid, 'SIGKILL') },
  );
  const kept = mortal.separate({ model: 'dsu_mini', input: song, output: path.join(folder, 'kept'), stems: ['bass'] });
  const [first, second] = await Promise.allSettled([lost, kept]);
  assert.equal(first.reason?.code, 'worker_died');
  assert.deepEqual(second.value?.stems, ['bass']);
  await mortal.shutdown();
});

test('a device that is not there is a reason, not a crash', async () => {
  const nowhere = new DSUWorker('bsroformer', { ...options, device: 'cuda:99' });
  await assert.rejects(nowhere.start(), { code: 'device_unavailable' });
});

test('a pool with two devices has a process on each, and all songs come out', async (t) => {
  const { device: _, ...others } = options; // one of them or several
  const pool = new WorkerPool({ ...others, devices: ['cpu', 'cpu'] });
  t.after(() => pool.shutdown());
  const worker = await pool.startWorker('bsroformer');
  const { devices } = await pool.run('bsroformer', { cmd: 'get_status' });
  assert.deepEqual(devices.map(({ device, ready }) => [device, ready]), [['cpu', true], ['cpu', true]]);
  assert.equal(new Set([worker.pid, ...devices.map(({ pid }) => pid)]).size, 3);
  const began = new Set();
  let both;
  const atOnce = new Promise((resolve) => (both = resolve));
  const held = ['a', 'b'].map((id) => {
    const onLine = ({ status }) => status === 'progress' && began.add(id).size === 2 && both();
    return assert.rejects(
      pool.separate('bsroformer', { id, model: 'dsu_mini', input: long, output: path.join(folder, `held-${id}`) }, { onLine }),
      CancelledError,
    );
  });
  await atOnce; // each device works
  await Promise.all(['a', 'b'].map((id) => worker.cancel(id)));
  await Promise.all(held);
  const outputs = ['1', '2', '3'].map((name) => path.join(folder, `pool-${name}`));
  const done = await Promise.all(
    outputs.map((output) => pool.separate('bsroformer', { model: 'dsu_mini', input: song, output, stems: ['bass'] })),
  );
  const stems = done.map(({ paths }) => fs.readFileSync(paths.bass));
  assert.ok(stems[0].length > 44);
  for (const other of stems.slice(1)) assert.ok(stems[0].equals(other));
});
