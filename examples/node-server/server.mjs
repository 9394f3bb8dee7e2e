// POST a song, get its vocals: curl --data-binary @song.mp3 localhost:8731 -o vocals.flac
// One worker does one song after another; who hangs up cancels the job. `dsu serve` has queues, tokens and limits of all kinds.
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DSUWorker } from 'dsu-client';

const LARGEST = 200 * 1024 * 1024;
const STATUS = { input_unreadable: 422, input_empty: 422, busy: 503, disk_full: 507 };
const worker = new DSUWorker('dsu', { restart: true });

/** Passes on no more than LARGEST bytes. */
function limited() {
  let size = 0;
  return new Transform({
    transform(chunk, _encoding, done) {
      size += chunk.length;
      done(size > LARGEST ? Object.assign(new Error('The song is too large.'), { status: 413 }) : null, chunk);
    },
  });
}

const server = createServer(async (request, response) => {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const folder = await mkdtemp(path.join(tmpdir(), 'stems-'));
  try {
    if (request.method !== 'POST') throw Object.assign(new Error('POST a song.'), { status: 405 });
    const input = path.join(folder, 'song');
    await pipeline(request, limited(), createWriteStream(input));
    const { paths } = await worker.separate(
      { input, output: path.join(folder, 'stems'), model: process.env.MODEL || 'dsu_mini', stems: ['vocals'], format: 'flac' },
      { signal: gone.signal },
    );
    response.setHeader('Content-Type', 'audio/flac');
    await pipeline(createReadStream(paths.vocals), response);
  } catch (error) {
    if (!response.headersSent) response.writeHead(error.status || STATUS[error.code] || 500);
    response.end(`${error.message}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

server.listen(Number(process.env.PORT || 8731), '127.0.0.1', () => console.log(`http://localhost:${server.address().port}`));
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    server.close();
    server.closeAllConnections();
    await worker.shutdown();
    process.exit(0);
  });
}
