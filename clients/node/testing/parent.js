'use strict';
// A program that uses the client and ends in the way that its first argument names. It prints its worker's pid.

const { DSUWorker, WorkerPool } = require('..');
const { FAKE } = require('./helpers');

const [how, kind = 'demucs'] = process.argv.slice(2);
const options = JSON.parse(process.env.PARENT_OPTIONS ?? JSON.stringify({ command: FAKE }));

const ENDINGS = {
  returns: () => {},
  exits: () => process.exit(5),
  throws: () => {
    throw new Error('nobody catches this');
  },
  rejects: () => Promise.reject(new Error('nobody catches this')),
  waits: () => setInterval(() => {}, 1000),
};

async function withWorker(end) {
  const worker = new DSUWorker(kind, options);
  worker.once('loading', () => console.log(worker.pid));
  await worker.start();
  setImmediate(end);
}

async function withPool(end) {
  const pool = new WorkerPool(options);
  const worker = await pool.startWorker(kind);
  console.log(worker.pid);
  setImmediate(end);
}

const [start, ending] = how.startsWith('pool-') ? [withPool, how.slice(5)] : [withWorker, how];
start(ENDINGS[ending]);
