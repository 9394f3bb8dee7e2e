'use strict';
// The script of [node.script dsu.js]: joins Max to the workers. What each message does is in lib/messages.js.

const max = require('max-api');

const OLDEST_NODE = 18;

/** `dsu-client` and its table of workers, or null where it was not installed. */
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
    const advice = 'Name another one in the attributes `node_bin_path` and `npm_bin_path` of node.script.';
    return refuse(`This is Node.js ${node}, and ${OLDEST_NODE} is needed. ${advice}`, 'node_too_old');
  }
  const client = findClient();
  if (!client) {
    return refuse('dsu-client is not installed. Send `script npm install`, then `script start`.', 'not_installed');
  }
  // Older versions of Node.js could not even read it.
  const { connect } = require('./lib/bridge');
  const { close } = connect(max, client);
  // Max has closed the patch or is gone; that there is no worker left then does not depend on signals.
  process.once('disconnect', () => close().finally(() => process.exit()));
}

main();
