'use strict';
const assert = require('node:assert/strict');
const { once } = require('node:events');
const { test } = require('node:test');
const { CancelledError, DSUError, DSUWorker, startWorker } = require('..');
const { FAKE, fake, fakeWorker, gone, noMockTimers } = require('../testing/helpers');

const job = (model, more = {}) => ({ cmd: 'separate', model, input: 'song.wav', ...more });

test('start answers with the ready line, and commands need no start', async (t) => {
  const worker = fakeWorker(t);
  const early = worker.separate({ model: 'good', input: 'song.wav' });
  assert.equal((await worker.start()).status, 'ready');
  assert.equal((await early).status, 'done');
  assert.equal((await worker.ping()).status, 'pong');
});

test('options become words of the command line', async (t) => {
  const options = { device: 'cpu', modelsDir: '/m', threads: 2, maxCachedModels: 0, offline: true, args: ['--debug'] };
  const { argv } = await fakeWorker(t, options).getStatus();
  const words = '--worker --device cpu --models-dir /m --threads 2 --max-cached-models 0 --offline --debug';
  assert.deepEqual(argv, words.split(' '));
});

test('answers find their requests by id, whatever the order', async (t) => {
  const worker = fakeWorker(t);
  const slow = assert.rejects(worker.separate({ model: 'silent' }), CancelledError);
  const [first, second, own] = await Promise.all([
    worker.separate({ model: 'echo', input: 'a' }),
    worker.separate({ model: 'echo', input: 'b' }),
    worker.separate({ model: 'echo', input: 'c', id: 'mine' }),
  ]);
  assert.deepEqual([first, second, own].map(({ request }) => request.input), ['a', 'b', 'c']);
  assert.equal(own.id, 'mine');
  await worker.cancel();
  await slow;
});

test('an id that is in use is refused', async (t) => {
  const worker = fakeWorker(t);
  const first = assert.rejects(worker.separate({ model: 'silent', id: 7 }), { code: 'cancelled' });
  await assert.rejects(worker.separate({ model: 'good', id: 7 }), { code: 'invalid_request' });
  assert.equal((await worker.cancel(7)).found, true);
  await first;
});

test('progress comes to the request and to listeners', async (t) => {
  const worker = fakeWorker(t);
  const heard = [];
  worker.on('progress', ({ percent }) => heard.push(percent));
  const lines = [];
  await worker.separate({ model: 'together' }, { onProgress: ({ percent }) => lines.push(percent) });
  assert.deepEqual([lines, heard], [[1, 2, 3], [1, 2, 3]]);
});

test('lines in pieces, characters in pieces', async (t) => {
  assert.equal((await fakeWorker(t).separate({ model: 'split' })).name, 'Größe 🎵');
});

test('what is not a line of the protocol is an event and does no harm', async (t) => {
  const worker = fakeWorker(t);
  const junk = [];
  worker.on('junk', (text) => junk.push(text));
  assert.equal((await worker.separate({ model: 'junk' })).status, 'done');
  assert.equal(junk.length, 7);
  assert.equal(junk[0], 'Downloading: 12%|#');
});

test('a line past the limit is left out, and the next one counts', async (t) => {
  const worker = fakeWorker(t, { maxLineBytes: 100_000 });
  const junk = once(worker, 'junk');
  assert.equal((await worker.separate({ model: 'giant' })).after, true);
  assert.match((await junk)[0], /a line of more than 100000 bytes/);
});

test('a giant line within the limit is read', async (t) => {
  assert.equal((await fakeWorker(t).separate({ model: 'giant' })).noise.length, 300_000);
});

test('lines of nobody and new kinds of events settle nothing', async (t) => {
  const worker = fakeWorker(t);
  assert.equal((await worker.separate({ model: 'stranger' })).status, 'done');
  assert.equal((await worker.separate({ model: 'novelty' })).status, 'done');
});

test('a command that this client does not know ends with what is no event', async (t) => {
  assert.equal((await fakeWorker(t).send({ cmd: 'of_tomorrow', model: 'good' })).status, 'done');
});

test('an error is a DSUError with what the worker said', async (t) => {
  await assert.rejects(fakeWorker(t).separate({ model: 'error' }), (error) => {
    assert.ok(error instanceof DSUError);
    assert.deepEqual([error.code, error.message, error.hint], ['input_not_found', 'No.', 'Look.']);
    assert.equal(error.reply.status, 'error');
    return true;
  });
});

test('a request too long for a line is refused before it is sent', async (t) => {
  const worker = fakeWorker(t);
  await assert.rejects(worker.separate({ input: 'ö'.repeat(600_000) }), { code: 'request_too_long' });
  assert.equal(worker.pid, undefined);
});

test('stream gives every line and throws what the request throws', async (t) => {
  const worker = fakeWorker(t);
  const statuses = [];
  for await (const line of worker.stream(job('good'))) statuses.push(line.status);
  assert.deepEqual(statuses, ['separating', 'progress', 'done']);
  await assert.rejects(async () => {
    for await (const line of worker.stream(job('error'))) assert.equal(line.status, 'error');
  }, { code: 'input_not_found' });
});

test('a stream is aborted by its signal, before and while it runs', async (t) => {
  const worker = fakeWorker(t);
  const controller = new AbortController();
  const read = async (signal) => {
    for await (const line of worker.stream(job('begun'), { signal })) if (line.status === 'separating') controller.abort('enough');
  };
  await assert.rejects(read(controller.signal), { name: 'AbortError', cause: 'enough' });
  await assert.rejects(read(controller.signal), { name: 'AbortError' });
});

test('leaving a stream cancels its job', async (t) => {
  const worker = fakeWorker(t);
  const cancelled = new Promise((resolve) => {
    worker.on('line', (line) => line.status === 'cancelled' && resolve(line));
  });
  for await (const line of worker.stream(job('begun', { id: 'left' }))) {
    assert.equal(line.status, 'separating');
    break;
  }
  assert.equal((await cancelled).id, 'left');
});

// Cancelling

test('an abort cancels the job, queued or running, and carries its reason', async (t) => {
  const worker = fakeWorker(t);
  const controller = new AbortController();
  const doomed = assert.rejects(worker.separate({ model: 'silent' }, { signal: controller.signal }), {
    name: 'AbortError',
    code: 'cancelled',
    cause: 'changed my mind',
  });
  await worker.ping();
  controller.abort('changed my mind');
  await doomed;
  assert.equal(worker.busy, false);
  assert.equal((await worker.separate({ model: 'good' })).status, 'done');
});

test('what is aborted before it is sent is not sent', async (t) => {
  const worker = fakeWorker(t);
  await assert.rejects(worker.separate({ model: 'good' }, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  assert.equal(worker.pid, undefined);
});

test('an abort after the end changes nothing', async (t) => {
  const worker = fakeWorker(t);
  const controller = new AbortController();
  await worker.separate({ model: 'good' }, { signal: controller.signal });
  controller.abort();
  assert.equal((await worker.ping()).status, 'pong');
});

test('a worker that does not cancel is ended', async (t) => {
  const worker = fakeWorker(t, { cancelTimeoutMs: 50 });
  const controller = new AbortController();
  const signal = controller.signal;
  const doomed = assert.rejects(worker.separate({ model: 'deaf' }, { signal }), { name: 'AbortError' });
  const other = assert.rejects(worker.separate({ model: 'deaf' }), { code: 'worker_silent' });
  await worker.ping();
  controller.abort();
  await Promise.all([doomed, other]);
});

test('a worker that has cancelled in time lives on', { skip: noMockTimers }, async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const worker = fakeWorker(t, { cancelTimeoutMs: 500 });
  await worker.start();
  const { pid } = worker;
  const controller = new AbortController();
  const doomed = worker.separate({ model: 'silent' }, { signal: controller.signal });
  controller.abort();
  await assert.rejects(doomed, { name: 'AbortError' });
  t.mock.timers.tick(500);
  t.mock.timers.reset();
  assert.equal((await worker.getStatus()).pid, pid);
});

test('cancel without a job finds none', async (t) => {
  const worker = fakeWorker(t);
  assert.equal((await worker.cancel()).found, false);
  await worker.start();
  assert.equal((await worker.cancel('nobody')).found, false);
});

// Dying

test('a worker that dies fails its requests with what it said last', async (t) => {
  const worker = fakeWorker(t);
  const other = assert.rejects(worker.separate({ model: 'silent' }), { code: 'worker_died' });
  await assert.rejects(worker.separate({ model: 'die' }), (error) => {
    assert.equal(error.code, 'worker_died');
    assert.equal(error.exitCode, 139);
    assert.match(error.stderr, /Segmentation fault/);
    return true;
  });
  await other;
  await assert.rejects(worker.ping(), { code: 'worker_died' });
});

test('a dead worker starts again when it is told to', async (t) => {
  const worker = fakeWorker(t);
  await assert.rejects(worker.separate({ model: 'killed' }), { signal: 'SIGKILL' });
  await worker.start();
  assert.equal((await worker.ping()).status, 'pong');
});

test('the last line counts, even without its end', async (t) => {
  assert.equal((await fakeWorker(t).separate({ model: 'noNewline' })).status, 'done');
});

test('with restart only the job that ran is lost', async (t) => {
  const worker = fakeWorker(t, { restart: true });
  const restarted = once(worker, 'restart');
  const pids = new Set();
  worker.on('loading', ({ pid }) => pids.add(pid));
  const lost = assert.rejects(worker.separate({ model: 'die' }), { code: 'worker_died' });
  const kept = worker.separate({ model: 'echo', input: 'kept' });
  await lost;
  assert.equal((await kept).request.input, 'kept');
  assert.equal((await restarted)[0].code, 'worker_died');
  assert.equal(pids.size, 2);
});

test('with restart no other job is lost with the graphics card', async (t) => {
  const worker = fakeWorker(t, { restart: true });
  const lost = assert.rejects(worker.separate({ model: 'loses' }), { code: 'device_lost' });
  const kept = [1, 2].map((input) => worker.separate({ model: 'echo', input }));
  await lost;
  assert.deepEqual((await Promise.all(kept)).map(({ request }) => request.input), [1, 2]);
});

test('a worker that dies again and again is given up', async (t) => {
  const worker = fakeWorker(t, { restart: true, maxRestarts: 2 });
  const jobs = Array.from({ length: 5 }, () => worker.separate({ model: 'die' }));
  let restarts = 0;
  worker.on('restart', () => (restarts += 1));
  const outcomes = await Promise.allSettled(jobs);
  assert.ok(outcomes.every(({ reason }) => reason.code === 'worker_died'));
  assert.equal(restarts, 2);
  await assert.rejects(worker.ping(), { code: 'worker_died' });
});

test('deaths between answers are not counted together', async (t) => {
  const worker = fakeWorker(t, { restart: true, maxRestarts: 1 });
  for (let i = 0; i < 3; i += 1) {
    const [lost, kept] = await Promise.allSettled([worker.separate({ model: 'die' }), worker.separate({ model: 'echo' })]);
    assert.deepEqual([lost.reason?.code, kept.value?.status], ['worker_died', 'done']);
  }
});

test('a worker that refuses to start says why', async (t) => {
  const worker = fakeWorker(t, { env: { FAKE_START: 'refuse' }, restart: true });
  await assert.rejects(worker.start(), { code: 'device_unavailable', message: 'There is no cuda here.' });
  await assert.rejects(startWorker('demucs', fake({ env: { FAKE_START: 'refuse' } })), { code: 'device_unavailable' });
});

test('a worker that is never ready is ended', async (t) => {
  const worker = fakeWorker(t, { env: { FAKE_START: 'never' }, startTimeoutMs: 300 });
  await assert.rejects(worker.separate({ model: 'good' }), { code: 'start_timeout' });
  assert.equal(worker.pid, undefined);
});

test('a program that is not there is a spawn_failed', async () => {
  const worker = new DSUWorker('demucs', { command: ['/no/such/program'] });
  await assert.rejects(worker.ping(), { code: 'spawn_failed' });
});

test('a worker that answers nothing any more is found out and killed', async (t) => {
  const worker = fakeWorker(t, { silenceTimeoutMs: 200, termTimeoutMs: 100 });
  await worker.start();
  const { pid } = worker;
  await assert.rejects(worker.separate({ model: 'stuck' }), { code: 'worker_silent' });
  await gone(pid);
});

test('a long job that says nothing is left alone as long as ping is answered', async (t) => {
  const worker = fakeWorker(t, { silenceTimeoutMs: 500 });
  const pongs = [];
  const quiet = assert.rejects(worker.separate({ model: 'silent', id: 'long' }), { code: 'cancelled' });
  await new Promise((resolve) => {
    worker.on('line', ({ status }) => {
      if (status === 'pong' && pongs.push(status) === 3) resolve();
    });
  });
  await worker.cancel('long');
  await quiet;
});

// Going

test('shutdown ends the process and later requests are refused', async (t) => {
  const worker = fakeWorker(t);
  await worker.start();
  const { pid } = worker;
  const ended = once(worker, 'exit');
  await Promise.all([worker.shutdown(), worker.shutdown()]);
  assert.deepEqual((await ended)[0], { code: 0, signal: null, expected: true });
  await gone(pid);
  await assert.rejects(worker.ping(), { code: 'worker_closed' });
  await assert.rejects(worker.start(), { code: 'worker_closed' });
});

test('a block that uses a worker ends it', { skip: !Symbol.asyncDispose && 'needs Node 18.18' }, async (t) => {
  const worker = fakeWorker(t);
  await worker.start();
  const { pid } = worker;
  await worker[Symbol.asyncDispose]();
  await gone(pid);
  await assert.rejects(worker.ping(), { code: 'worker_closed' });
});

test('shutdown with drain lets jobs finish, and takes no more', async (t) => {
  const worker = fakeWorker(t);
  const last = assert.rejects(worker.separate({ model: 'silent', id: 'last' }), { code: 'cancelled' });
  await worker.start();
  const ended = once(worker, 'exit');
  const over = worker.shutdown({ drain: true });
  await assert.rejects(worker.ping(), { code: 'worker_closed' });
  assert.equal((await worker.cancel('last')).found, true); // it was still there
  await Promise.all([last, over]);
  assert.equal((await ended)[0].code, 0);
});

test('a second shutdown, without drain, does not wait for jobs', async (t) => {
  const worker = fakeWorker(t);
  const last = assert.rejects(worker.separate({ model: 'silent' }), { code: 'worker_closed' });
  await worker.start();
  const patient = worker.shutdown({ drain: true });
  await worker.shutdown();
  await Promise.all([last, patient]);
});

test('a stubborn worker is killed', async (t) => {
  const worker = fakeWorker(t, { env: { FAKE_STUBBORN: '1' }, exitTimeoutMs: 50, termTimeoutMs: 50 });
  await worker.start();
  const ended = once(worker, 'exit');
  await worker.shutdown();
  assert.equal((await ended)[0].signal, 'SIGKILL');
});

test('an exit that was asked for is no accident', async (t) => {
  const worker = fakeWorker(t, { restart: true });
  const ended = once(worker, 'exit');
  assert.equal((await worker.send({ cmd: 'exit' })).status, 'exiting');
  assert.equal((await ended)[0].expected, true);
  await assert.rejects(worker.ping(), { code: 'worker_closed' });
});

test('a worker that was never started is shut down at once', async () => {
  await new DSUWorker('demucs', { command: FAKE }).shutdown();
});
