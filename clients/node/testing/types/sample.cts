// The same from CommonJS: that the names are there.
import client = require('dsu-client');
import runtime = require('dsu-client/runtime');

const worker = new client.DSUWorker('demucs', { command: ['dsu-demucs'] });
const error: client.DSUError | null = null;
worker.on('stderr', (text) => text.trim());
void worker[Symbol.asyncDispose]().then(() => client.PROTOCOL_VERSION.toFixed());
void worker.start().then((ready: client.Ready) => ready.threads.toFixed());
const found: Promise<runtime.Runtime | null> = runtime.locateRuntime({ folder: '/data', url: 'https://example.com/dsu.zip', sha256: 'ab' });
export = { worker, error, found };
