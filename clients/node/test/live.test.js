'use strict';
// Stems as streams while their job runs, of real workers with the built-in model.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { CancelledError, DSUWorker } = require('..');
const { real, temporaryFolder, writeSong } = require('../testing/helpers');

const outer = { after };
const folder = temporaryFolder(outer);
const song = writeSong(path.join(folder, 'song.wav'), 3);
const long = writeSong(path.join(folder, 'long.wav'), 60);
const MODEL = { model: 'dsu_mini' };
process.env.TMPDIR = temporaryFolder(outer); // of this file alone
const left = () => fs.readdirSync(os.tmpdir());
let worker;
let plain;

before(async () => {
  worker = new DSUWorker('dsu', real({ modelsDir: path.join(folder, 'models'), offline: true }));
  const done = await worker.separate({ ...MODEL, input: song, output: path.join(folder, 'plain'), pcm_type: 'FLOAT', clip: 'none' });
  plain = Object.fromEntries(Object.entries(done.paths).map(([name, file]) => [name, dataOf(file)]));
});
after(() => worker.shutdown());

/** The samples of a WAV file. */
function dataOf(file) {
  const bytes = fs.readFileSync(file);
  for (let at = 12; at < bytes.length; at += 8 + bytes.readUInt32LE(at + 4)) {
    if (bytes.toString('latin1', at, at + 4) === 'data') return bytes.subarray(at + 8, at + 8 + bytes.readUInt32LE(at + 4));
  }
  throw new Error('no samples');
}

async function whole(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The song as floats, in chunks that do not fit its frames. */
async function* samples() {
  const data = dataOf(song);
  const floats = Buffer.alloc(data.length * 2);
  for (let i = 0; i < data.length / 2; i += 1) floats.writeFloatLE(data.readInt16LE(2 * i) / 32768, 4 * i);
  for (let at = 0; at < floats.length; at += 100_003) yield floats.subarray(at, at + 100_003);
}

async function check({ stems, sampleRate, channels, frames, done }) {
  assert.deepEqual([sampleRate, channels, frames], [44100, 2, 3 * 44100]);
  const found = await Promise.all(Object.entries(stems).map(async ([name, stem]) => [name, await whole(stem)]));
  assert.deepEqual(Object.keys(plain).sort(), found.map(([name]) => name).sort());
  for (const [name, data] of found) assert.ok(data.equals(plain[name]), name);
  assert.deepEqual((await done).files, []);
}

test('the stems of a file are streams with the samples of its files', async () => {
  await check(await worker.separateStream(song, MODEL));
});

test('a stream is separated into streams', async () => {
  await check(await worker.separateStream(samples(), { ...MODEL, sample_rate: 44100, channels: 2, name: 'My Song' }));
});

test('a stream of unknown length is separated while it comes', async () => {
  const fields = { ...MODEL, sample_rate: 44100, statistics_s: 0.5 };
  let taken = 0;
  let release;
  const heard = new Promise((resolve) => (release = resolve));
  async function* endless() {
    const second = Buffer.alloc(44100 * 8);
    for (let i = 0; i < second.length / 4; i += 1) second.writeFloatLE(Math.sin(i / 20) / 4, 4 * i);
    for (; taken < 60; taken += 1) yield second;
    await heard; // the song goes on only when its beginning has been separated
    yield second;
  }
  const { stems, frames, done } = await worker.separateStream(endless(), fields);
  assert.equal(frames, null);
  const sizes = await Promise.all(Object.values(stems).map(async (stem) => {
    let size = 0;
    for await (const chunk of stem) {
      size += chunk.length;
      release();
    }
    return size;
  }));
  assert.deepEqual(sizes, sizes.map(() => 61 * 44100 * 8));
  const { settings } = await done;
  assert.deepEqual([settings.input, settings.statistics_s], ['as it came', 0.5]);
});

test('a stream can be recorded first', async () => {
  const live = await worker.separateStream(samples(), { ...MODEL, sample_rate: 44100, record_first: true });
  await check(live);
  assert.equal((await live.done).settings.input, 'recorded first');
});

test('stems that nobody wants can be left out, and destroying all cancels the job', async () => {
  const first = await worker.separateStream(song, MODEL);
  const { vocals, ...others } = first.stems;
  for (const stem of Object.values(others)) stem.destroy();
  assert.ok((await whole(vocals)).equals(plain.vocals));
  await first.done;
  const second = await worker.separateStream(long, MODEL);
  for (const stem of Object.values(second.stems)) stem.destroy();
  await assert.rejects(second.done, CancelledError);
});

test('who does not read keeps the worker waiting, until it is aborted', async () => {
  const controller = new AbortController();
  const { stems, done } = await worker.separateStream(long, MODEL, { signal: controller.signal });
  await new Promise((resolve) => stems.vocals.once('readable', resolve));
  controller.abort();
  await assert.rejects(done, CancelledError);
  await assert.rejects(whole(stems.vocals), CancelledError);
});

test('errors arrive before there is any stem', async () => {
  await assert.rejects(worker.separateStream('nothing.wav', MODEL), { code: 'input_not_found' });
  await assert.rejects(worker.separateStream(samples(), MODEL), { code: 'invalid_request' });
  async function* broken() {
    yield Buffer.alloc(800);
    throw new Error('the source broke');
  }
  await assert.rejects(worker.separateStream(broken(), { ...MODEL, sample_rate: 44100 }), /the source broke/);
  async function* uneven() {
    yield Buffer.alloc(801);
  }
  await assert.rejects(worker.separateStream(uneven(), { ...MODEL, sample_rate: 44100 }), /no whole frame/);
});

test('no socket is left behind', { skip: process.platform === 'win32' && 'pipes have no files there' }, () => {
  assert.deepEqual(left(), []);
});
