'use strict';
// The messages of a patch, against workers that misbehave as the model says and against a pool that answers as told.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { WorkerPool } = require('../../node');
const { WORKERS } = require('../../node/lib/protocol');
const { gone, temporaryFolder } = require('../../node/testing/helpers');
const { toMax } = require('../lib/atoms');
const { RESULT } = require('../lib/bridge');
const { MESSAGES } = require('../lib/messages');
const { errorMessage, warningMessages } = require('../lib/reports');
const { fakePatch, patch } = require('./helpers');

function songIn(t, name = 'My Song.wav') {
  const file = path.join(temporaryFolder(t), name);
  fs.writeFileSync(file, '');
  return file;
}

/** A patch whose pool gives `answers[cmd]`, and `asked`: what it was told. */
function toldPatch(t, answers = {}) {
  const asked = [];
  const answer = ({ cmd }, { onProgress } = {}) => {
    const { lines = [], ...reply } = answers[cmd] ?? {};
    lines.forEach((line) => onProgress(line));
    return reply;
  };
  class Pool {
    constructor(options) {
      this.options = options;
    }
    worker(kind) {
      return { on: () => {}, start: async () => asked.push({ start: kind, options: this.options }) };
    }
    stats() {
      return { bsroformer: { pid: 1 } };
    }
    async run(kind, request, options) {
      asked.push({ kind, ...request });
      return answer(request, options);
    }
    async pipeline(steps, { input, output }) {
      asked.push({ steps, input, output });
      return { results: steps.map((step) => answer({ cmd: 'separate', ...step })) };
    }
    async shutdown() {}
  }
  return Object.assign(patch(t, {}, { WorkerPool: Pool, WORKERS }), { asked });
}

function finished(max, id) {
  return max.heard('done', undefined, undefined, id);
}

// Songs ---------------------------------------------------------------------------------------------------------------

test('a separation is told from its start to its end', async (t) => {
  const song = songIn(t);
  const max = fakePatch(t);
  max.fire('separate', song, 'stems', path.dirname(song));
  await max.heard('state', 'idle');
  assert.deepEqual(max.sent, [
    ['state', 'queued', 1, 'My Song.wav'],
    ['state', 'starting', 'bsroformer'],
    ['state', 'ready', 'bsroformer', 'cpu'],
    ['state', 'running', 1],
    ['stem', 'drums', '/out/drums.wav', 1],
    ['stem', 'vocals', '/out/vocals.wav', 1],
    ['done', toMax(path.dirname(song)), 0, 1],
    ['state', 'idle'],
  ]);
  const { stems, input, id } = max.dictionaries[RESULT];
  assert.deepEqual([stems, input, id], [{ drums: '/out/drums.wav', vocals: '/out/vocals.wav' }, toMax(song), 1]);
});

test('progress carries the percent, then the job and the stage', async (t) => {
  const max = fakePatch(t);
  max.fire('separate', songIn(t), 'good');
  await max.heard('done');
  assert.deepEqual(max.all('progress'), [['progress', 50, 1, 'separate']]);
});

test('a path that was split at its spaces is found', async (t) => {
  const song = songIn(t, 'a b 3.wav');
  const max = toldPatch(t);
  max.fire('separate', ...song.split(' '), 'scnet');
  await finished(max, 1);
  const [{ input, output_dir: output, model }] = max.asked;
  assert.deepEqual([input, output, model], [song, path.join(path.dirname(song), 'stems'), 'scnet']);
});

test('stems go to the folder of the message, else to the one of `output`, else beside the song', async (t) => {
  const song = songIn(t);
  const folder = path.dirname(song);
  const max = toldPatch(t);
  max.fire('output', path.join(folder, 'all'), 'stems');
  max.fire('separate', song);
  max.fire('separate', song, '', path.join(folder, 'own'));
  max.fire('output');
  max.fire('restore', song);
  await finished(max, 3);
  const folders = max.asked.map(({ output_dir: output }) => path.relative(folder, output));
  assert.deepEqual(folders, ['all stems', 'own', 'stems']);
  assert.equal(max.all('done', toMax(path.join(folder, 'own'))).length, 1);
});

test('a folder is one job, and its results are those of all its songs', async (t) => {
  const folder = temporaryFolder(t);
  const done = (file) => ({ status: 'done', paths: { bass: file } });
  const max = toldPatch(t, { separate: { results: [done('/b.wav'), { status: 'error' }, done('/c.wav')] } });
  max.fire('separate', folder);
  await finished(max, 1);
  assert.deepEqual([max.asked[0].inputs, max.asked[0].input], [[folder], undefined]);
  assert.deepEqual(max.dictionaries[RESULT].files, ['/b.wav', '/c.wav']);
});

test('several songs may wait; each has a number, and an error of one is not one of the next', async (t) => {
  const song = songIn(t);
  const max = fakePatch(t);
  max.fire('separate', song, 'error');
  max.fire('separate', song, 'stems');
  await max.heard('state', 'idle');
  assert.deepEqual(max.all('error'), [['error', 'No. Look.', 'input_not_found', 1]]);
  assert.equal(max.all('stem', undefined, undefined, 2).length, 2);
});

test('a file that is not there is one error, and no job', async (t) => {
  const max = fakePatch(t);
  max.fire('separate', '/no/such song.wav');
  const [, message, code] = await max.heard('error');
  assert.match(message, /There is no file .*such song\.wav/);
  assert.equal(code, 'invalid_message');
  assert.equal(max.sent.length, 1);
});

test('options and texts are sent with the jobs they are meant for', async (t) => {
  const song = songIn(t);
  const max = toldPatch(t);
  max.fire('option', 'two_stems', 'vocals');
  max.fire('option', 'apollo.format', 'flac');
  max.fire('text', 'a', 'dog', 'barking');
  max.fire('separate', song);
  max.fire('worker', 'dsu-audiosep');
  max.fire('option', 'two_stems');
  max.fire('separate', song);
  max.fire('restore', song, 'apollo_lew_uni');
  max.fire('option', 'clear');
  max.fire('separate', song);
  await finished(max, 4);
  const sent = max.asked.map(({ kind, cmd, two_stems: stem, text, format, model }) => [
    [kind, cmd],
    { stem, text, format, model },
  ]);
  const none = { stem: undefined, text: undefined, format: undefined, model: undefined };
  assert.deepEqual(sent, [
    [['bsroformer', 'separate'], { ...none, stem: 'vocals' }],
    [['audiosep', 'separate'], { ...none, text: 'a dog barking' }],
    [['audio-separator', 'apollo'], { ...none, format: 'flac', model: 'apollo_lew_uni' }],
    [['audiosep', 'separate'], none],
  ]);
});

test('a sequence sends a song through its steps, with the stems of all of them', async (t) => {
  const song = songIn(t);
  const max = toldPatch(t, {
    separate: { elapsed: 1, paths: { Instrumental: '/out/i.wav' } },
    apollo: { elapsed: 2.5, output_dir: '/out', paths: { restored: '/out/r.wav' }, warnings: ['careful'] },
  });
  max.fire('option', 'vr.vr_aggression', 10);
  max.fire('sequence', 'vr:net.pth>apollo', song, '/out');
  await finished(max, 1);
  const [{ steps, input }] = max.asked;
  assert.equal(input, song);
  assert.deepEqual(steps, [
    { worker: 'audio-separator', take: 'Instrumental', vr_aggression: 10, model: 'net.pth' },
    { worker: 'audio-separator', cmd: 'apollo', take: undefined, model: undefined },
  ]);
  assert.deepEqual(max.all('stem').map(([, name]) => name), ['Instrumental', 'restored']);
  assert.deepEqual(max.all('done'), [['done', '/out', 3.5, 1]]);
  assert.deepEqual(max.all('warning'), [['warning', 'careful', 1]]);
});

test('a sequence that does not say which stem goes on is told how to', async (t) => {
  const max = fakePatch(t);
  max.fire('sequence', 'demucs:stems>demucs:good', songIn(t));
  const [, message, code] = await max.heard('error');
  assert.match(message, /drums, vocals.*In Max, write the step as NAME:MODEL:STEM\./);
  assert.equal(code, 'step_invalid');
});

test('the progress of a sequence is that of the whole', async (t) => {
  const max = fakePatch(t);
  max.fire('sequence', 'demucs:stems:vocals>demucs:good', songIn(t));
  await finished(max, 1);
  assert.deepEqual(max.all('progress'), [['progress', 75, 1, 'separate']]);
});

// Models --------------------------------------------------------------------------------------------------------------

test('a model that is loaded is used by the songs after it, until another is named', async (t) => {
  const song = songIn(t);
  const max = toldPatch(t, { load_model: { model: 'htdemucs_ft', stems: ['drums', 'bass'] } });
  max.fire('worker', 'demucs');
  max.fire('option', 'repo', '/nets');
  max.fire('option', 'format', 'flac');
  max.fire('load', 'htdemucs_ft');
  assert.deepEqual(await max.heard('loaded'), ['loaded', 'htdemucs_ft', 'drums', 'bass']);
  max.fire('separate', song);
  max.fire('separate', song, 'htdemucs');
  max.fire('option', 'model', 'mdx');
  max.fire('separate', song);
  await finished(max, 4);
  assert.deepEqual(max.asked.map(({ model }) => model), ['htdemucs_ft', 'htdemucs_ft', 'htdemucs', 'mdx']);
  assert.deepEqual(Object.keys(max.asked[0]), ['kind', 'cmd', 'repo', 'model']);
});

test('a network of its own that an option names is not joined by the model that was loaded', async (t) => {
  const max = toldPatch(t, { load_model: { model: 'scnet' } });
  max.fire('load', 'scnet');
  await max.heard('loaded');
  max.fire('option', 'model_path', '/nets/own.ckpt');
  max.fire('separate', songIn(t));
  await finished(max, 2);
  assert.equal(max.asked[1].model, undefined);
});

test('models, downloads and what is unloaded are told', async (t) => {
  const max = toldPatch(t, {
    list_models: { models: ['one', 'two'] },
    download_model: { lines: [{ status: 'downloading', percent: 40 }], model: 'one', path: '/m/one.ckpt' },
    clear_cache: { models_cleared: 2 },
  });
  max.fire('models');
  assert.deepEqual(await max.heard('models'), ['models', 'one', 'two']);
  max.fire('download', 'one');
  assert.deepEqual(await max.heard('downloaded'), ['downloaded', 'one', '/m/one.ckpt']);
  assert.deepEqual(max.all('progress'), [['progress', 40, 1, 'download']]);
  max.fire('unload');
  assert.deepEqual(await max.heard('unloaded'), ['unloaded', 2]);
  max.fire('worker', 'demucs');
  max.fire('unload');
  assert.deepEqual(await max.heard('unloaded', 0), ['unloaded', 0]);
  max.fire('download');
  assert.match((await max.heard('error'))[1], /download MODEL/);
});

// Workers -------------------------------------------------------------------------------------------------------------

test('settings count from the next start on', async (t) => {
  const folder = temporaryFolder(t);
  const max = toldPatch(t);
  max.fire('executables', folder);
  max.fire('models_dir', ...folder.split(' '));
  max.fire('device', 'cpu');
  max.fire('start', 'demucs');
  await max.heard('state', 'worker', 'demucs');
  const [{ start, options }] = max.asked;
  assert.equal(start, 'demucs');
  const { dir, modelsDir, device, idleTimeoutMs } = options;
  assert.deepEqual([dir, modelsDir, device, idleTimeoutMs], [folder, folder, 'cpu', 0]);
  max.fire('status');
  assert.deepEqual(await max.heard('status', 'device'), ['status', 'device', 'cpu']);
  max.fire('executables', path.join(folder, 'none'));
  assert.match((await max.heard('error'))[1], /There is no folder/);
});

test('a setting ends the worker that runs with the earlier one, but never under a job', async (t) => {
  const max = fakePatch(t);
  max.fire('start', 'demucs');
  await max.heard('state', 'ready');
  max.fire('device', 'cpu');
  assert.deepEqual(await max.heard('state', 'stopped'), ['state', 'stopped', 'demucs']);
  max.fire('separate', songIn(t), 'begun');
  await max.heard('state', 'running');
  max.fire('device', 'auto');
  assert.match((await max.heard('error'))[1], /A job is still running/);
});

test('a setting that ends a worker while it starts is no error of that worker', async (t) => {
  const max = fakePatch(t, { env: { FAKE_START: 'never' } });
  max.fire('start', 'demucs');
  await max.heard('state', 'starting');
  max.fire('device', 'cpu');
  await max.heard('state', 'stopped', 'demucs');
  max.fire('stop');
  await max.heard('state', 'off');
  assert.deepEqual(max.all('error'), []);
});

test('a worker that is not there is one error that says what to send', async (t) => {
  const folder = temporaryFolder(t);
  const max = patch(t, {});
  max.fire('executables', folder);
  max.fire('start', 'demucs');
  const [, message, code] = await max.heard('error');
  assert.match(message, /dsu-demucs was not found in .*executables DIR/);
  assert.equal(code, 'worker_not_found');
  max.fire('separate', songIn(t));
  await max.heard('error', undefined, 'worker_not_found', 1);
  assert.equal(max.all('error').length, 2);
});

test('a worker that cannot be one says why', async (t) => {
  const max = fakePatch(t, { env: { FAKE_START: 'refuse' } });
  max.fire('start');
  assert.deepEqual(await max.heard('error'), ['error', 'There is no cuda here.', 'device_unavailable']);
});

test('a worker that dies is an error of its job, and the next job gets another', async (t) => {
  const song = songIn(t);
  const max = fakePatch(t);
  max.fire('separate', song, 'die');
  await max.heard('error', undefined, 'worker_died', 1);
  max.fire('separate', song, 'stems');
  await finished(max, 2);
  assert.equal(max.all('state', 'stopped', 'bsroformer').length, 1);
  assert.match(max.all('log')[0][2], /Segmentation fault/);
});

test('what a worker says beside the protocol is logged', async (t) => {
  const max = fakePatch(t);
  max.fire('separate', songIn(t), 'junk');
  await finished(max, 1);
  assert.deepEqual(max.all('log', 'bsroformer')[0], ['log', 'bsroformer', 'Downloading: 12%|#']);
});

test('the state of settings, workers and jobs is told', async (t) => {
  const max = fakePatch(t);
  max.fire('start', 'audiosep');
  await max.heard('state', 'ready');
  max.fire('status');
  await max.heard('status', 'audiosep');
  assert.deepEqual(max.all('status'), [
    ['status', 'worker', 'audiosep'],
    ['status', 'executables', 'default'],
    ['status', 'models_dir', 'default'],
    ['status', 'device', 'auto'],
    ['status', 'jobs', 0],
    ['status', 'audiosep', 'ready', 'none', 'unknown'],
  ]);
});

for (const [theirs, ours] of [
  ['Send {"cmd":"list_models"} for their names.', 'Send `models` for their names.'],
  ['Send {"cmd":"download_model","model":"scnet"} to fetch it.', 'Send `download scnet` to fetch it.'],
  ['Send {"cmd":"download_model","model":NAME}.', 'Send `download NAME`.'],
  ['Use `--device auto`, or install the build.', 'Use `device auto`, or install the build.'],
]) {
  test(`a worker's advice names messages: ${ours}`, () => {
    assert.deepEqual(errorMessage({ message: 'No.', code: 'some', hint: theirs }), ['error', `No. ${ours}`, 'some']);
    assert.deepEqual(warningMessages({ warnings: [theirs] }, 3), [['warning', ours, 3]]);
  });
}

// Ending --------------------------------------------------------------------------------------------------------------

test('a job is cancelled by its number, or as the one that runs, or with all others', async (t) => {
  const song = songIn(t);
  const max = fakePatch(t);
  for (let i = 0; i < 5; i += 1) max.fire('separate', song, 'begun');
  await max.heard('state', 'running', 1);
  max.fire('cancel', 3);
  await max.heard('cancelled', 3);
  max.fire('cancel');
  await max.heard('cancelled', 1);
  await max.heard('state', 'running', 2);
  max.fire('cancel_all');
  await max.heard('state', 'idle');
  assert.deepEqual(max.all('cancelled').map(([, id]) => id).sort(), [1, 2, 3, 4, 5]);
  assert.deepEqual(max.all('error'), []);
  max.fire('cancel', 9);
  assert.deepEqual(await max.heard('warning'), ['warning', 'There is no job 9 to cancel.']);
  max.fire('cancel');
  await max.heard('warning', 'There is no job to cancel.');
});

test('stop cancels the jobs and leaves no worker; the next job starts one again', async (t) => {
  const pids = [];
  class Pool extends WorkerPool {
    worker(kind) {
      const worker = super.worker(kind);
      worker.once('loading', () => pids.push(worker.pid));
      return worker;
    }
  }
  const song = songIn(t);
  const max = fakePatch(t, {}, { WorkerPool: Pool, WORKERS });
  max.fire('separate', song, 'begun');
  max.fire('separate', song, 'begun');
  await max.heard('state', 'running', 1);
  max.fire('stop');
  await max.heard('state', 'off');
  await gone(pids[0]);
  assert.deepEqual(max.all('cancelled').map(([, id]) => id).sort(), [1, 2]);
  assert.deepEqual(max.all('error'), []);
  max.fire('separate', song, 'stems');
  await finished(max, 3);
});

// Messages ------------------------------------------------------------------------------------------------------------

test('every message has a handler, and an unknown one is an error', async (t) => {
  const max = fakePatch(t);
  assert.deepEqual(max.selectors.sort(), MESSAGES.map(({ name }) => name).sort());
  max.fire('sepparate', 'x');
  assert.match((await max.heard('error'))[1], /no message `sepparate x`.*help/);
  max.fire('worker', 'vocoder');
  await max.heard('error', 'There is no worker `vocoder`. The workers are: demucs, bsroformer, audio-separator, audiosep, dsu.');
  max.fire('option');
  await max.heard('error', 'Write `option KEY VALUE`, or `option clear`.');
});

test('help lists every message', async (t) => {
  const max = fakePatch(t);
  max.fire('help');
  assert.equal(max.posted.length, MESSAGES.length);
  for (const [index, { usage }] of MESSAGES.entries()) assert.ok(max.posted[index].startsWith(usage));
});

test('a dictionary that cannot be set, and a patch that does not listen, stop nothing', async (t) => {
  const max = fakePatch(t);
  max.setDict = () => Promise.reject(new Error('there is no Max'));
  const heard = max.outlet.bind(max);
  max.outlet = async (...atoms) => {
    await heard(...atoms);
    throw new Error('not connected');
  };
  max.fire('separate', songIn(t), 'stems');
  await finished(max, 1);
  assert.match(max.all('log', 'max')[0][2], /dsu_result.*there is no Max/);
});
