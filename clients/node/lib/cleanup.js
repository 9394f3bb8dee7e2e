'use strict';
// Leaves no worker running when this process ends: on `exit` every worker gets SIGTERM, and signals that would end this
// process wait until its pools are closed. After a SIGKILL, workers notice the death of this process themselves.

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Running workers. */
const alive = new Set();
/** Functions to call before a signal ends this process. */
const closers = new Set();
let closing = false;

function endAll() {
  for (const worker of alive) worker.kill('SIGTERM');
}

/** Remember a worker until `forget`; its `kill` is called when this process exits, even after an exception. */
function remember(worker) {
  if (alive.size === 0) process.on('exit', endAll);
  alive.add(worker);
}

function forget(worker) {
  alive.delete(worker);
  if (alive.size === 0) process.off('exit', endAll);
}

/**
 * Call `close` before a signal ends this process. If the program has a listener of its own for the signal, that
 * listener decides what happens afterwards. A second signal does not wait.
 *
 * @param {() => Promise<unknown>} close
 * @returns {() => void} stops listening
 */
function closeOnSignals(close) {
  if (closers.size === 0) SIGNALS.forEach((signal) => process.on(signal, onSignal));
  closers.add(close);
  return () => {
    closers.delete(close);
    if (closers.size === 0 && !closing) stopListening();
  };
}

function stopListening() {
  SIGNALS.forEach((signal) => process.off(signal, onSignal));
}

async function onSignal(signal) {
  if (closing) {
    endAll();
  } else {
    closing = true;
    await Promise.allSettled([...closers].map((close) => close()));
    closing = false;
  }
  stopListening();
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}

module.exports = { closeOnSignals, forget, remember };
