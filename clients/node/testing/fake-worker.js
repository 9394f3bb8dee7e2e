'use strict';
// A worker that misbehaves on demand: `model` of a `separate` names how. FAKE_* variables change how it starts and ends.

const fs = require('node:fs');
const readline = require('node:readline');

const send = (line) => process.stdout.write(JSON.stringify(line) + '\n');
const id = (request) => (request.id === undefined ? {} : { id: request.id });
const done = (request, more = {}) => send({ status: 'done', ...id(request), files: ['a.wav'], stems: ['a'], ...more });

/** Write bytes one at a time, so that lines and characters are cut wherever the pipe likes. */
async function writeSlowly(bytes) {
  for (const byte of bytes) await new Promise((resolve) => process.stdout.write(Buffer.from([byte]), resolve));
}

const BEHAVIOURS = {
  good: (request) => {
    send({ status: 'separating', ...id(request), input: request.input });
    send({ status: 'progress', ...id(request), percent: 50, stage: 'separate', eta: 1 });
    done(request, { input: request.input, output_dir: request.output_dir });
  },
  fetched: (request) => {
    send({ status: 'downloading', ...id(request), model: 'fetched', percent: 90 });
    BEHAVIOURS.good(request);
  },
  stems: (request) => {
    const paths = { drums: '/out/drums.wav', vocals: '/out/vocals.wav' };
    done(request, { stems: Object.keys(paths), paths });
  },
  vocals_melband: (request) => done(request, { files: ['vocals.wav'], stems: ['vocals'], output_dir: request.output_dir }),
  split: (request) => writeSlowly(Buffer.from(JSON.stringify({ status: 'done', ...id(request), name: 'Größe 🎵' }) + '\r\n')),
  together: (request) => {
    const lines = [1, 2, 3].map((percent) => ({ status: 'progress', ...id(request), percent }));
    process.stdout.write([...lines, { status: 'done', ...id(request) }].map((x) => JSON.stringify(x)).join('\n\n') + '\n');
  },
  junk: (request) => {
    process.stdout.write('Downloading: 12%|#\r\n{"status": "done", \n[1,2]\n"text"\nnull\n{"no":"status"}\n\xff\n', 'latin1');
    done(request);
  },
  giant: (request) => {
    process.stdout.write(JSON.stringify({ status: 'done', ...id(request), noise: 'x'.repeat(300_000) }) + '\n');
    done(request, { after: true });
  },
  noNewline: (request) => {
    process.stdout.write(JSON.stringify({ status: 'done', ...id(request) }), () => process.exit(3));
  },
  die: () => {
    fs.writeSync(2, 'Segmentation fault (core dumped)\n');
    process.exit(139);
  },
  loses: (request) => {
    send({ status: 'error', ...id(request), code: 'device_lost', message: 'The graphics card was lost during the job.' });
    send({ status: 'shutdown', reason: 'signal_or_parent_died', detail: 'device_lost' });
    process.exit(3);
  },
  killed: () => process.kill(process.pid, 'SIGKILL'),
  error: (request) => send({ status: 'error', ...id(request), code: 'input_not_found', message: 'No.', hint: 'Look.' }),
  stranger: (request) => {
    send({ status: 'done', id: 'nobody' });
    send({ status: 'error', code: 'invalid_json', message: 'What?' });
    done(request);
  },
  novelty: (request) => {
    send({ status: 'a_new_kind_of_event', ...id(request) });
    done(request);
  },
  echo: (request) => done(request, { request }),
  stuck: () => {
    for (;;); // answers nothing any more, not even signals
  },
  silent: (request) => busyWith.push(request), // until it is cancelled
  begun: (request) => {
    send({ status: 'separating', ...id(request), input: request.input });
    busyWith.push(request);
  },
  deaf: () => {}, // and is never cancelled
};

const busyWith = [];

const CONTROLS = {
  ping: (request) => send({ status: 'pong', ...id(request), model_loaded: null }),
  get_status: (request) =>
    send({ status: 'status', ...id(request), pid: process.pid, argv: process.argv.slice(2), cwd: process.cwd() }),
  cancel: (request) => {
    const index = busyWith.findIndex((job) => request.id === undefined || job.id === request.id);
    const [job] = index < 0 ? [] : busyWith.splice(index, 1);
    if (job) send({ status: 'cancelled', ...id(job), message: 'Cancelled.' });
    send({ status: 'cancel_requested', ...id(request), found: Boolean(job) });
  },
  exit: (request) => {
    if (process.env.FAKE_STUBBORN) return;
    send({ status: 'exiting', ...id(request) });
    process.exit(0);
  },
};

let input;

function answer(text) {
  const request = JSON.parse(text);
  const run = CONTROLS[request.cmd] ?? BEHAVIOURS[request.model] ?? BEHAVIOURS.good;
  run(request);
}

function main() {
  send({ status: 'loading', message: 'Starting.', worker: 'fake', version: '0', pid: process.pid });
  if (process.env.FAKE_PID_FILE) fs.writeFileSync(process.env.FAKE_PID_FILE, String(process.pid));
  if (process.env.FAKE_START === 'refuse') {
    send({ status: 'error', code: 'device_unavailable', message: 'There is no cuda here.' });
    process.exitCode = 2;
    return;
  }
  if (process.env.FAKE_STUBBORN) process.on('SIGTERM', () => {});
  input = readline.createInterface({ input: process.stdin });
  if (process.env.FAKE_START === 'never') return;
  input.on('line', answer);
  if (!process.env.FAKE_STUBBORN && !process.env.FAKE_ORPHAN) input.on('close', () => process.exit(0));
  send({ status: 'ready', device: 'cpu', threads: 1, protocol: 1 });
  if (process.env.FAKE_STUBBORN || process.env.FAKE_ORPHAN) setInterval(() => {}, 1000);
}

main();
