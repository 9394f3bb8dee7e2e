'use strict';
// A program that installs a runtime as RUNTIME_OPTIONS say. It prints each stage and in the end the folder; at the stage
// STOP_AT it stops dead, so that it can be killed there.

const { ensureRuntime } = require('../lib/runtime');

let last;

function onProgress({ stage }) {
  if (stage === last) return;
  last = stage;
  process.stdout.write(`${stage}\n`);
  if (stage === process.env.STOP_AT) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

ensureRuntime({ ...JSON.parse(process.env.RUNTIME_OPTIONS), onProgress }).then(({ dir }) => console.log(dir));
