'use strict';
// The exports for `require('dsu-client')`; index.mjs has the same for `import`.

const { CLIENT_CODES, CancelledError, DSUError } = require('./lib/errors');
const { findWorker } = require('./lib/locate');
const { WorkerPool } = require('./lib/pool');
const { PROTOCOL_VERSION } = require('./lib/protocol');
const { DSUWorker, startWorker } = require('./lib/worker');

module.exports = {
  CLIENT_CODES,
  CancelledError,
  DSUError,
  DSUWorker,
  PROTOCOL_VERSION,
  WorkerPool,
  findWorker,
  startWorker,
};
