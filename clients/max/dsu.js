'use strict';
// The script of [node.script dsu.js]: connects Max to the workers. lib/messages.js says what each message does.

const max = require('max-api');

const OLDEST_NODE = 18;

/** `dsu-client` and its table of workers, or null if it is not installed. */
function findClient() {
  try {
    return { ...require('dsu-client'), ...require('dsu-client/protocol') };
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    return null;
  }
}

async function refuse(message, code) {
  await max.outlet('error', message, code);
  process.exit(1);
}

function main() {
  const { node } = process.versions;
  if (Number.parseInt(node, 10) < OLDEST_NODE) {
    const advice = 'Set the attributes `node_bin_path` and `npm_bin_path` of node.script to a newer one.';
    return refuse(`This is Node.js ${node}, but ${OLDEST_NODE} or newer is needed. ${advice}`, 'node_too_old');
  }
  const client = findClient();
  if (!client) {
    return refuse('dsu-client is not installed. Send `script npm install`, then `script start`.', 'not_installed');
  }
  // Older versions of Node.js could not even parse it.
  const { connect } = require('./lib/bridge');
  const { close } = connect(max, client);
  // Max has closed the patch or has ended. This ends the workers without relying on signals.
  process.once('disconnect', () => close().finally(() => process.exit()));
}

main();
