'use strict';
const assert = require('node:assert/strict');
const { once } = require('node:events');
const path = require('node:path');
const { test } = require('node:test');
const { WorkerPool } = require('..');
const { fake, gone, isAlive, noMockTimers } = require('../testing/helpers');

function fakePool(t, options = {}) {
  const pool = new WorkerPool(fake({ handleSignals: false, ...options }));
  t.after(() => pool.shutdown());
  return pool;
}

/** The inputs in the order in which the worker got them. */
async function orderOf(pool, jobs) {
  const order = [];
  const take = ({ cmd = 'separate', ...fields }) => pool.run('demucs', { cmd, ...fields });
  await Promise.all(jobs.map((job) => take(job).then(() => order.push(job.input))));
  return order.join('');
}

test('workers start with their first job, one of each kind', async (t) => {
  const pool = fakePool(t);
  assert.deepEqual(pool.stats(), {});
  await Promise.all([
    pool.separate('demucs', { model: 'echo' }),
    pool.separate('demucs', { model: 'echo' }),
    pool.separate('dsu-bsroformer.exe', { model: 'echo' }),
  ]);
  const stats = pool.stats();
  assert.deepEqual(Object.keys(stats), ['demucs', 'bsroformer']);
  assert.notEqual(stats.demucs.pid, stats.bsroformer.pid);
});

test('jobs of one model run one after another', async (t) => {
  const names = ['a:x', 'b:y', 'c:x', 'd:y', 'e:x'].map((word) => word.split(':'));
  const jobs = names.map(([input, model]) => ({ input, model }));
  assert.equal(await orderOf(fakePool(t), jobs), 'acebd');
});

test('a job is not passed over for ever', async (t) => {
  const names = ['a:x', 'b:y', 'c:x', 'd:x', 'e:x'].map((word) => word.split(':'));
  const jobs = names.map(([input, model]) => ({ input, model }));
  assert.equal(await orderOf(fakePool(t, { maxPassedOver: 2 }), jobs), 'acdbe');
});

test('a worker with several devices has a job for each', async (t) => {
  const pool = fakePool(t, { device: 'cuda', workers: { demucs: { devices: ['cuda:0', 'cuda:1'] } } });
  const began = [];
  const jobs = ['a', 'b', 'c'].map((id) => {
    const onLine = ({ status }) => status === 'separating' && began.push(id);
    return assert.rejects(pool.separate('demucs', { model: 'begun', id }, { onLine }), { code: 'cancelled' });
  });
  const { argv } = await pool.run('demucs', { cmd: 'get_status' });
  assert.deepEqual(argv, ['--worker', '--devices', 'cuda:0,cuda:1']);
  assert.deepEqual(began, ['a', 'b']);
  assert.equal(pool.stats().demucs.queued, 1);
  await pool.worker('demucs').cancel('b');
  await jobs[1];
  await pool.run('demucs', { cmd: 'ping' });
  assert.deepEqual(began, ['a', 'b', 'c']);
  await Promise.all(['a', 'c'].map((id) => pool.worker('demucs').cancel(id)));
  await Promise.all(jobs);
});

test('a free device gets a job of the model that it has', async (t) => {
  const pool = fakePool(t, { devices: ['cuda:0', 'cuda:1'] });
  const order = [];
  const take = (input, model, fields) =>
    pool.separate('demucs', { input, model, ...fields }, { onLine: ({ status }) => status === 'separating' && order.push(input) });
  const held = assert.rejects(take('held', 'begun', { id: 'held' }), { code: 'cancelled' });
  await Promise.all([take('a', 'good'), take('b', 'fetched'), take('c', 'good')]);
  assert.deepEqual(order, ['held', 'a', 'c', 'b']);
  await pool.worker('demucs').cancel('held');
  await held;
});

test('commands that are no jobs are answered while one runs', async (t) => {
  const pool = fakePool(t);
  const quiet = assert.rejects(pool.separate('demucs', { model: 'silent', id: 1 }), { code: 'cancelled' });
  assert.equal((await pool.run('demucs', { cmd: 'ping' })).status, 'pong');
  assert.equal(pool.stats().demucs.busy, true);
  await pool.worker('demucs').cancel(1);
  await quiet;
});

test('a waiting job is aborted without the worker ever hearing of it', async (t) => {
  const pool = fakePool(t);
  const heard = [];
  pool.worker('demucs').on('line', (line) => heard.push(line.status));
  const running = assert.rejects(pool.separate('demucs', { model: 'silent', id: 1 }), { code: 'cancelled' });
  const controller = new AbortController();
  const waiting = pool.separate('demucs', { model: 'echo' }, { signal: controller.signal });
  const refused = assert.rejects(waiting, { name: 'AbortError' });
  controller.abort();
  await refused;
  assert.equal(pool.stats().demucs.queued, 0);
  await pool.startWorker('demucs');
  await pool.worker('demucs').cancel(1);
  await running;
  assert.equal(heard.includes('done'), false);
});

test('a worker that dies is started again for the next job', async (t) => {
  const pool = fakePool(t);
  const worker = pool.worker('demucs');
  const [lost, kept] = await Promise.allSettled([
    pool.separate('demucs', { model: 'die' }),
    pool.separate('demucs', { model: 'echo' }),
  ]);
  assert.equal(lost.reason.code, 'worker_died');
  assert.equal(kept.value.status, 'done');
  assert.equal(pool.worker('demucs'), worker); // with all its listeners
});

test('an idle worker is ended, and the next job starts another', async (t) => {
  const pool = fakePool(t, { idleTimeoutMs: 50 });
  await pool.separate('demucs', { model: 'echo' });
  const { pid } = pool.worker('demucs');
  await gone(pid);
  await pool.separate('demucs', { model: 'echo' });
  assert.notEqual(pool.worker('demucs').pid, pid);
});

test('a worker that works is not idle, however long it takes', { skip: noMockTimers }, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const pool = fakePool(t, { idleTimeoutMs: 20 });
  const quiet = assert.rejects(pool.separate('demucs', { model: 'silent', id: 1 }), { code: 'cancelled' });
  const worker = await pool.startWorker('demucs');
  await worker.separate({ model: 'echo' });
  t.mock.timers.tick(20);
  t.mock.timers.reset();
  assert.equal(pool.worker('demucs'), worker);
  await worker.cancel(1);
  await quiet;
});

test('shutdown ends all workers and refuses jobs that wait', async () => {
  const pool = new WorkerPool(fake());
  const running = assert.rejects(pool.separate('demucs', { model: 'silent' }), { code: 'worker_closed' });
  const waiting = assert.rejects(pool.separate('demucs', { model: 'echo' }), { code: 'worker_closed' });
  await pool.startWorker('demucs');
  const { pid } = pool.stats().demucs;
  await pool.shutdown();
  await Promise.all([running, waiting]);
  assert.equal(isAlive(pid), false);
  await assert.rejects(pool.separate('demucs', { model: 'echo' }), { code: 'worker_closed' });
  assert.equal(process.listenerCount('SIGTERM'), 0);
});

test('a block that uses a pool ends its workers', { skip: !Symbol.asyncDispose && 'needs Node 18.18' }, async () => {
  const pool = new WorkerPool(fake({ handleSignals: false }));
  const { pid } = await pool.startWorker('demucs');
  await pool[Symbol.asyncDispose]();
  assert.equal(isAlive(pid), false);
});

test('shutdown with drain finishes all jobs', async () => {
  const pool = new WorkerPool(fake({ handleSignals: false }));
  const jobs = ['a', 'b', 'c'].map((input) => pool.separate('demucs', { model: 'echo', input }));
  const all = Promise.all(jobs);
  await pool.shutdown({ drain: true });
  assert.deepEqual(pool.stats(), { demucs: { pid: null, busy: false, queued: 0 } });
  await all;
});

// Pipelines

test('what a step leaves is what the next one takes', async (t) => {
  const pool = fakePool(t);
  const seen = [];
  const { results, path: last } = await pool.pipeline(
    [
      { worker: 'audio-separator', model: 'good', output_dir: '/first' },
      (input, before) => ({ worker: 'audio-separator', cmd: 'apollo', model: 'good', was: before.length, seen: input }),
    ],
    {
      input: 'song.wav',
      output: '/second',
      onProgress: ({ step, steps, total_percent: total }) => seen.push([step, steps, total]),
    },
  );
  assert.deepEqual(results.map(({ input }) => input), ['song.wav', path.resolve('/first', 'a.wav')]);
  assert.equal(last, path.resolve('/second', 'a.wav'));
  assert.deepEqual(seen, [[0, 2, 25], [1, 2, 75]]);
});

test('the download of a step’s model is no progress of the pipeline', async (t) => {
  const pool = fakePool(t);
  const totals = [];
  const onProgress = ({ status, percent, total_percent: total }) => totals.push([status, percent, total]);
  const steps = ['good', 'fetched'].map((model) => ({ worker: 'demucs', model }));
  await pool.pipeline(steps, { input: 'song.wav', output: '/out', onProgress });
  assert.deepEqual(totals, [['progress', 50, 25], ['downloading', 90, 50], ['progress', 50, 75]]);
});

test('a step of many stems says which goes on, in any case', async (t) => {
  const pool = fakePool(t);
  const many = { worker: 'demucs', model: 'stems', output_dir: '/out' };
  const next = { worker: 'demucs', model: 'good', output_dir: '/out' };
  const { results } = await pool.pipeline([{ ...many, take: 'VOCALS' }, next], { input: 'song.wav' });
  assert.equal(results[1].input, '/out/vocals.wav');
  await assert.rejects(pool.pipeline([many, next], { input: 'song.wav' }), { code: 'step_invalid' });
  await assert.rejects(pool.pipeline([{ ...many, take: 'harp' }, next], { input: 'song.wav' }), /no stem `harp`/);
  assert.equal((await pool.pipeline([many], { input: 'song.wav' })).path, null);
  assert.equal((await pool.pipeline([{ ...many, take: 'drums' }], { input: 'song.wav' })).path, '/out/drums.wav');
});

test('a step that fails ends the pipeline', async (t) => {
  const pool = fakePool(t);
  const steps = [{ worker: 'demucs', model: 'error' }, () => assert.fail('the second step was asked for')];
  await assert.rejects(pool.pipeline(steps, { input: 'song.wav', output: '/out' }), { code: 'input_not_found' });
});

test('an abort ends the pipeline', async (t) => {
  const pool = fakePool(t);
  const worker = await pool.startWorker('demucs');
  const controller = new AbortController();
  const steps = [{ worker: 'demucs', model: 'begun' }];
  const begun = once(worker, 'line');
  const over = assert.rejects(pool.pipeline(steps, { input: 'song.wav', output: '/out', signal: controller.signal }), {
    name: 'AbortError',
  });
  await begun;
  controller.abort();
  await over;
});
