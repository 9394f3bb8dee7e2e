// What a user would write. It is compiled with `tsc --strict`, never run; each `@ts-expect-error` must be one.
import { once } from 'node:events';
import { CancelledError, DSUError, DSUWorker, WorkerPool, startWorker } from 'dsu-client';
import type { Done, ManyDone, Progress, AudioSepDone } from 'dsu-client';
import { archiveName, ensureRuntime, locateRuntime } from 'dsu-client/runtime';

const worker = new DSUWorker('bsroformer', { dir: '/opt/dsu', device: 'cuda:1', restart: true });
worker.on('progress', (line) => line.percent.toFixed());
worker.on('exit', ({ expected }) => expected satisfies boolean);
worker.once('loading', ({ pid }) => pid.toFixed()).off('junk', (text) => text.trim());
worker.emit('junk', 'a line') satisfies boolean;
// @ts-expect-error the event has an argument
worker.emit('junk');
// @ts-expect-error the argument is a line
worker.prependListener('ready', (line: string) => line);
worker.listenerCount('stderr') satisfies number;
await once(worker, 'ready');

const stop = new AbortController();
const done: Done = await worker.separate(
  { input: 'song.wav', output: 'stems', model: 'dsu_mini', format: 'flac', two_stems: 'vocals' },
  { signal: stop.signal, onProgress: ({ percent }: Progress) => percent },
);
done.paths.vocals satisfies string | undefined;
const many: ManyDone = await worker.separate({ inputs: ['a.wav', 'b.wav'], output: 'stems' });
many.succeeded satisfies number;

// @ts-expect-error no such format
await worker.separate({ input: 'song.wav', format: 'mp4' });
// @ts-expect-error a misspelt field
await worker.separate({ input: 'song.wav', ouput: 'stems' });
// @ts-expect-error a field of another worker
await worker.separate({ input: 'song.wav', vr_aggression: 5 });
// @ts-expect-error a song is needed
await worker.separate({ output: 'stems' });
// @ts-expect-error one song or many
await worker.separate({ input: 'a.wav', inputs: ['b.wav'], output: 'stems' });
// @ts-expect-error a model's name is needed
await worker.downloadModel({});
await worker.downloadModel({ model: 'htdemucs' }, { onProgress: ({ received_bytes, total_bytes }) => [received_bytes, total_bytes] });
await worker.separate({ input: 'song.wav' }, { onProgress: (line) => (line.status === 'downloading' ? line.file : line.stage) });
// @ts-expect-error a download has no stage
await worker.downloadModel({ model: 'htdemucs' }, { onProgress: ({ stage }) => stage });
// @ts-expect-error no such event
worker.on('finished', () => {});

const cleaned = await (await startWorker('denoise')).denoise({ input: 'take.wav', noise_profile: 'hiss.wav', mode: 'drums' });
cleaned.files satisfies string[];

const { model_loaded: loaded } = await worker.ping();
loaded satisfies string | null;
const models = await worker.listModels({ details: true });
models.models satisfies string[];
(await worker.send({ cmd: 'set_cache_size', n: 2 })).max_cached_models satisfies number;
const batch = await worker.batch({ jobs: [{ cmd: 'separate', input: 'a.wav' }], continue_on_error: true });
batch.results.length satisfies number;
for await (const line of worker.stream({ cmd: 'separate', input: 'song.wav' })) {
  if (line.status === 'progress') line.eta satisfies number | null;
}

const live = await worker.separateStream('song.wav', { model: 'dsu_mini', stems: ['vocals'] }, { onProgress: ({ percent }) => percent });
live.frames satisfies number | null;
for await (const block of live.stems.vocals!) block.byteLength satisfies number;
(await live.done).stems satisfies string[];
const coming = await worker.separateStream(process.stdin, { sample_rate: 44_100 });
coming.sampleRate satisfies number;
// @ts-expect-error a stream does not say what its samples are
await worker.separateStream(process.stdin, {});
// @ts-expect-error there are no files
await worker.separateStream('song.wav', { output: 'stems' });
(await worker.send({ cmd: 'seek', position: 80 })).found satisfies boolean;
await worker.separate({ input: 'song.wav', stream: { every_s: 1 }, start_at: 80 }, {
  onLine: (line) => {
    if (line.status === 'segment') line.start satisfies number;
    if (line.status === 'streaming') line.frames satisfies number | null;
  },
});

const asked: AudioSepDone = await (await startWorker('audiosep')).separate({ input: 'street.wav', text: 'a dog', output: 'dog.wav' });
asked.files satisfies string[];

try {
  await worker.loadModel({ model: 'nothing' });
} catch (error) {
  if (error instanceof CancelledError) error.code satisfies 'cancelled';
  else if (error instanceof DSUError && error.code === 'unknown_model') error.suggestions satisfies string[] | undefined;
}

const pool = new WorkerPool({ idleTimeoutMs: 60_000, workers: { demucs: { threads: 4 } } });
const result = await pool.pipeline(
  [
    { worker: 'bsroformer', model: 'dsu_mini', take: 'vocals' },
    (input) => ({ worker: 'audio-separator', cmd: 'apollo', model: input }),
  ],
  { input: 'song.wav', output: 'stems', onProgress: ({ step, total_percent }) => step + total_percent },
);
result.path satisfies string | null;
// @ts-expect-error no such worker
await pool.separate('spleeter', { input: 'song.wav' });
(await pool.separate('demucs', { input: 'song.wav', shifts: 2 })).stems satisfies string[];
await pool.run('demucs', { cmd: 'get_status' });
await pool.shutdown({ drain: true });

{
  await using disposed = new DSUWorker('demucs');
  await using disposedPool = new WorkerPool();
  await disposedPool.separate('demucs', { input: 'song.wav' });
  disposed.busy satisfies boolean;
}

const url = new URL(archiveName(), 'https://example.com/');
const runtime = await ensureRuntime({ folder: '/data/dsu', url, checksums: 'SHA256SUMS', onProgress: ({ percent }) => percent satisfies number | null });
new DSUWorker('demucs', { ...runtime, threads: 2 }).command satisfies string[];
new WorkerPool(runtime).stats();
(await locateRuntime({ folder: '/data/dsu', url, sha256: 'ab', signal: stop.signal, fetch }))?.dir satisfies string | undefined;
// @ts-expect-error nothing to check the archive by
await ensureRuntime({ folder: '/data/dsu', url });
