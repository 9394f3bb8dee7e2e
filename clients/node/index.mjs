import client from './index.js';

export const {
  CLIENT_CODES,
  CancelledError,
  DSUError,
  DSUWorker,
  PROTOCOL_VERSION,
  WorkerPool,
  findWorker,
  startWorker,
} = client;
export default client;
