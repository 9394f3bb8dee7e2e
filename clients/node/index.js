'use strict';
// What `require('dsu-client')` gives; index.mjs gives the same to `import`.

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
