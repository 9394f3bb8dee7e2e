// The same from CommonJS: that the names are there.
import client = require('dsu-client');

const worker = new client.DSUWorker('demucs', { command: ['dsu-demucs'] });
const error: client.DSUError | null = null;
void worker.start().then((ready: client.Ready) => ready.threads.toFixed());
export = { worker, error };
