'use strict';
// What the tests share: the fake worker, real ones, and what becomes of processes.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { DSUWorker } = require('..');

// Time that tests move on themselves came with Node 20: why a test that needs it is left out, or false.
const noMockTimers = Number.parseInt(process.versions.node, 10) < 20 && 'needs Node 20';
const FAKE = [process.execPath, path.join(__dirname, 'fake-worker.js')];
const CHECKOUT = path.resolve(__dirname, '..', '..', '..');

/** Options that start the fake worker. */
function fake(options = {}) {
  return { command: FAKE, ...options };
}

/** A fake worker that is gone when the test is over. */
function fakeWorker(t, options = {}) {
  const worker = new DSUWorker('demucs', fake(options));
  t.after(() => worker.kill());
  return worker;
}

/** Options that start real workers: of the frozen build or with the Python that the test run names. */
function real(options = {}) {
  const { DSU_TEST_DIR: dir = CHECKOUT, DSU_TEST_PYTHON: python } = process.env;
  return { dir, ...(python && !process.env.DSU_TEST_DIR ? { python } : {}), device: 'cpu', threads: 1, ...options };
}

function temporaryFolder(t) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dsu-client-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A stereo wav file of 16 bits: a chord over a beat. */
function writeSong(file, seconds = 1, rate = 44100) {
  const frames = Math.round(seconds * rate);
  const data = Buffer.alloc(frames * 4);
  for (let i = 0; i < frames; i += 1) {
    const chord = [220, 277.18, 329.63].reduce((sum, hz) => sum + Math.sin((2 * Math.PI * hz * i) / rate), 0);
    const beat = Math.exp(-(i % (rate / 4)) / 900) * Math.sin((2 * Math.PI * 60 * i) / rate);
    const value = Math.round(6000 * chord * 0.5 + 9000 * beat);
    data.writeInt16LE(value, 4 * i);
    data.writeInt16LE(value, 4 * i + 2);
  }
  fs.writeFileSync(file, Buffer.concat([wavHeader(data.length, rate), data]));
  return file;
}

function wavHeader(size, rate) {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + size, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(2, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 4, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(size, 40);
  return header;
}

/** Does this process run? One that has ended counts as gone, also before its parent has asked how. */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) [ZX] /.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch (error) {
    return error.code === 'ENOENT' && process.platform !== 'linux';
  }
}

/** Wait until the process is gone; fails the test where it stays. */
async function gone(pid, limitMs = 120_000) {
  const until = Date.now() + limitMs;
  while (isAlive(pid)) {
    if (Date.now() > until) throw new Error(`process ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

module.exports = { CHECKOUT, FAKE, fake, fakeWorker, gone, isAlive, noMockTimers, real, temporaryFolder, writeSong };
