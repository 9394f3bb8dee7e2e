'use strict';
const assert = require('node:assert/strict');
const { spawn, spawnSync } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');
const { DSUWorker } = require('..');
const { archiveName, ensureRuntime, locateRuntime } = require('../lib/runtime');
const { withLock } = require('../lib/runtime/lock');
const { PROGRAM, only, paxEntry, serve, sha256, tarEntry, tarGz, zip } = require('../testing/archives');
const { temporaryFolder } = require('../testing/helpers');

const POSIX = { skip: process.platform === 'win32' && 'it is about files as Unix has them' };
const NAME = 'dsu-linux-cpu.tar.gz';
// Bytes that do not shrink, so that an archive can be cut in the middle.
const ARCHIVE = tarGz(PROGRAM, tarEntry('dsu/lib/weights', { content: randomBytes(3 << 20) }));

/** A server with an archive, and the options that install it. */
async function releaseOf(t, { archive = ARCHIVE, name = NAME, answers, files = {} } = {}) {
  const folder = path.join(temporaryFolder(t), 'dsu');
  const server = await serve(t, { [name]: archive, ...files }, answers);
  const options = { folder, url: `${server.base}/${name}`, sha256: sha256(archive), retryWaitMs: 1 };
  return { ...server, folder, options };
}

const left = (folder) => (fs.existsSync(folder) ? fs.readdirSync(folder) : []);

// Installing

test('a runtime is downloaded, checked, unpacked, and then there', async (t) => {
  const { options, folder, requests, stop } = await releaseOf(t);
  const stages = new Map();
  assert.equal(await locateRuntime(options), null);
  assert.deepEqual(left(folder), []);
  const runtime = await ensureRuntime({ ...options, onProgress: ({ stage, percent }) => stages.set(stage, percent) });
  assert.deepEqual([...stages], [['download', 100], ['unpack', 100]]);
  assert.equal(runtime.sha256, options.sha256);
  assert.deepEqual(new DSUWorker('demucs', runtime).command.slice(0, 1), [path.join(runtime.dir, 'dsu-demucs')]);
  assert.deepEqual(left(folder), [options.sha256.slice(0, 16)]);
  await stop();
  assert.deepEqual(await ensureRuntime(options), runtime);
  assert.deepEqual(await locateRuntime(options), runtime);
  assert.equal(requests.length, 1);
});

test('modes, links and long names are those of the archive', POSIX, async (t) => {
  const long = `dsu/${'n'.repeat(90)}/${'m'.repeat(90)}/${'ö'.repeat(60)}.so`;
  const gnu = `dsu/gnu/${'g'.repeat(150)}`;
  const archive = tarGz(
    PROGRAM,
    tarEntry('dsu/dsu-denoise', { type: '1', target: 'dsu/dsu-demucs' }),
    tarEntry('dsu/lib/real.so', { content: 'library' }),
    tarEntry('dsu/lib/link.so', { type: '2', target: 'real.so' }),
    tarEntry('dsu/lib/back', { type: '2', target: '../lib' }),
    paxEntry({ path: long, mtime: '1.5' }),
    tarEntry('short', { content: 'long' }),
    tarEntry('././@LongLink', { type: 'L', content: `${gnu}\0` }),
    tarEntry('short', { content: 'gnu', more: { 257: 'ustar  \0' } }),
    tarEntry('split', { content: 'split', more: { 345: 'dsu/prefix' } }),
    tarEntry('./dsu/setuid', { content: 's', mode: 0o4755 }),
  );
  const { options } = await releaseOf(t, { archive });
  const { dir } = await ensureRuntime(options);
  const at = (name) => path.join(path.dirname(dir), name);
  assert.equal(fs.statSync(at('dsu/dsu-demucs')).mode & 0o7777 & ~process.umask(), 0o755 & ~process.umask());
  assert.equal(fs.statSync(at('dsu/lib/real.so')).mode & 0o111, 0);
  assert.equal(fs.statSync(at('dsu/setuid')).mode & 0o4000, 0);
  assert.equal(fs.statSync(at('dsu/dsu-denoise')).ino, fs.statSync(at('dsu/dsu-demucs')).ino);
  assert.equal(fs.readlinkSync(at('dsu/lib/link.so')), 'real.so');
  const texts = [long, gnu, 'dsu/prefix/split', 'dsu/lib/back/link.so'].map((name) => fs.readFileSync(at(name), 'utf8'));
  assert.deepEqual(texts, ['long', 'gnu', 'split', 'library']);
});

for (const large of [false, true]) {
  test(`a zip archive works as well${large ? ', also with numbers of eight bytes' : ''}`, async (t) => {
    const files = [
      { name: 'dsu/', mode: 0o040755 },
      { name: 'dsu/dsu-demucs', content: 'program', mode: 0o100755 },
      { name: 'dsu/dsu-demucs.exe', content: 'program', mode: 0o100755, stored: true },
      { name: 'dsu/lib/Größe/empty', content: '' },
    ];
    const { options } = await releaseOf(t, { archive: zip(files, { large }), name: 'dsu-win-cpu.zip' });
    const { dir } = await ensureRuntime(options);
    assert.equal(fs.readFileSync(path.join(dir, 'dsu-demucs'), 'utf8'), 'program');
    assert.equal(fs.readFileSync(path.join(dir, 'dsu-demucs.exe'), 'utf8'), 'program');
    assert.equal(fs.statSync(path.join(dir, 'lib', 'Größe', 'empty')).size, 0);
  });
}

test('the hash comes from a file of checksums, of the application or of the release', async (t) => {
  const lines = `${'0'.repeat(64)}  other.zip\n${sha256(ARCHIVE)}  ${NAME}\n`;
  const { base, options, folder, requests, stop } = await releaseOf(t, { files: { SHA256SUMS: lines } });
  const { sha256: known, ...rest } = options;
  const remote = { ...rest, checksums: `${base}/SHA256SUMS` };
  const runtime = await ensureRuntime(remote);
  assert.equal(runtime.sha256, known);
  await stop();
  assert.deepEqual(await ensureRuntime(remote), runtime); // without asking again
  const file = path.join(folder, '..', 'SHA256SUMS');
  fs.writeFileSync(file, lines);
  assert.deepEqual(await locateRuntime({ ...rest, checksums: file }), runtime);
  fs.writeFileSync(file, lines.slice(0, 75));
  await assert.rejects(ensureRuntime({ ...rest, checksums: file }), { code: 'checksum_mismatch', message: /no line for dsu-linux/ });
  assert.equal(requests.length, 2);
});

test('a runtime that has lost a program is installed again', async (t) => {
  const { options, requests } = await releaseOf(t);
  const { dir } = await ensureRuntime(options);
  fs.rmSync(path.join(dir, 'dsu-demucs'));
  assert.equal(await locateRuntime(options), null);
  assert.deepEqual(await ensureRuntime(options), { dir, sha256: options.sha256 });
  assert.ok(fs.existsSync(path.join(dir, 'dsu-demucs')));
  assert.equal(requests.length, 2);
});

test('an update stands beside the old runtime, or takes its place', async (t) => {
  const update = tarGz(PROGRAM, tarEntry('dsu/new'));
  const { base, options, folder } = await releaseOf(t, { files: { 'new.tar.gz': update, 'newer.tar.gz': tarGz(PROGRAM) } });
  const old = await ensureRuntime(options);
  const url = `${base}/new.tar.gz`;
  await ensureRuntime({ ...options, url, sha256: sha256(update) });
  assert.deepEqual(await locateRuntime(options), old);
  await ensureRuntime({ ...options, url: `${base}/newer.tar.gz`, sha256: sha256(tarGz(PROGRAM)), removeOthers: true });
  assert.deepEqual(left(folder), [sha256(tarGz(PROGRAM)).slice(0, 16)]);
});

// Lines that break

test('a download goes on where the line broke', async (t) => {
  const cut = only(1 << 20);
  const { options, requests } = await releaseOf(t, { answers: [cut, cut, only(0)] });
  await ensureRuntime(options);
  const starts = requests.map(({ start }) => start);
  assert.equal(starts.length, 4);
  assert.deepEqual(starts, [...starts].sort((a, b) => a - b));
  assert.ok(starts[1] > 0 && starts[2] > starts[1]);
});

test('a server that knows no ranges, or sends the wrong one, is read from the start', async (t) => {
  const again = (response, data) => response.writeHead(200, { 'content-length': data.length }).end(data);
  const wrong = (response, data) => response.writeHead(206, { 'content-range': `bytes 0-9/${data.length}` }).end(data.subarray(0, 10));
  const gone = (response) => response.writeHead(416).end();
  const { options, requests } = await releaseOf(t, { answers: [only(1 << 20), wrong, only(1 << 20), gone, only(1 << 20), again] });
  await ensureRuntime(options);
  assert.equal(requests.length, 6);
});

test('a line that ends early without saying so is known by the size', async (t) => {
  const short = (response, data) => {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { connection: 'close' }).end(data.subarray(0, 1 << 20));
  };
  const { options, requests } = await releaseOf(t, { answers: [short] });
  await ensureRuntime({ ...options, sizeBytes: ARCHIVE.length });
  assert.deepEqual(requests.map(({ start }) => start), [0, 1 << 20]);
});

test('a line that hangs is given up and another one taken', async (t) => {
  const { options, requests } = await releaseOf(t, { answers: [only(1 << 20, { destroy: false })] });
  await ensureRuntime({ ...options, silenceTimeoutMs: 500 });
  assert.equal(requests.length, 2);
});

test('a server in trouble is asked again, but not without end', async (t) => {
  const busy = (response) => response.writeHead(503).end();
  const { options, requests, folder } = await releaseOf(t, { answers: Array.from({ length: 7 }, () => busy) });
  await assert.rejects(ensureRuntime(options), { code: 'download_failed', message: /interrupted 6 times: the server answered 503/ });
  assert.deepEqual(left(folder), []);
  await ensureRuntime(options);
  assert.equal(requests.length, 8);
});

test('what is not on the server is an error at once', async (t) => {
  const { options, requests, folder } = await releaseOf(t);
  await assert.rejects(ensureRuntime({ ...options, url: `${options.url}.zip` }), { code: 'download_failed', message: /404/ });
  assert.equal(requests.length, 1);
  assert.deepEqual(left(folder), []);
});

test('a server that ends too early each time fails, and what came is kept for the next call', async (t) => {
  const { options, requests, folder } = await releaseOf(t, { answers: Array.from({ length: 6 }, () => only(1000)) });
  await assert.rejects(ensureRuntime(options), { code: 'download_failed' });
  assert.match(left(folder).join(), /^[0-9a-f]{16}\.[-0-9a-f]+\.part$/);
  await ensureRuntime(options);
  assert.ok(requests.at(-1).start > 0);
  assert.deepEqual(left(folder), [options.sha256.slice(0, 16)]);
});

// Wrong bytes

test('an archive with another hash is not used, and nothing of it is left', async (t) => {
  const { options, folder } = await releaseOf(t);
  await assert.rejects(ensureRuntime({ ...options, sha256: '1'.repeat(64) }), { code: 'checksum_mismatch' });
  assert.deepEqual(left(folder), []);
});

test('wrong bytes from an earlier download cost a second one and no more', async (t) => {
  const { options, folder, requests } = await releaseOf(t);
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, `${options.sha256.slice(0, 16)}.earlier.part`), 'not what it should be');
  await ensureRuntime(options);
  assert.deepEqual(requests.map(({ start }) => start), [21, 0]);
});

test('an archive of another size, or too large, is refused before it comes', async (t) => {
  const { options, folder } = await releaseOf(t);
  const progress = [];
  const onProgress = (line) => progress.push(line);
  const wrong = { ...options, onProgress, sizeBytes: ARCHIVE.length + 1 };
  await assert.rejects(ensureRuntime(wrong), { code: 'checksum_mismatch', message: new RegExp(`and has ${ARCHIVE.length}`) });
  await assert.rejects(ensureRuntime({ ...options, onProgress, maxArchiveBytes: 1000 }), { code: 'download_failed' });
  assert.deepEqual([progress, left(folder)], [[], []]);
  await ensureRuntime({ ...options, sizeBytes: ARCHIVE.length });
});

test('a server that does not say how much it sends sends no more than it may', async (t) => {
  const endless = (response, data) => {
    response.writeHead(200);
    const more = () => !response.destroyed && response.write(data, more);
    more();
  };
  const { options } = await releaseOf(t, { answers: [endless] });
  await assert.rejects(ensureRuntime({ ...options, maxArchiveBytes: 8 << 20 }), { code: 'download_failed', message: /larger than/ });
});

// Hostile archives

const HOSTILE = {
  'a path that leads out': [tarEntry('dsu/../../evil', { content: 'x' })],
  'an absolute path': [tarEntry('/tmp/dsu-evil', { content: 'x' })],
  'a path of Windows': [tarEntry('dsu\\..\\evil', { content: 'x' })],
  'a drive': [tarEntry('C:/evil', { content: 'x' })],
  'a device of Windows': [tarEntry('dsu/NUL.txt', { content: 'x' })],
  'a name that ends with a dot': [tarEntry('dsu/evil.', { content: 'x' })],
  'a path that leads out in a pax record': [paxEntry({ path: '../evil' }), tarEntry('dsu/good', { content: 'x' })],
  'a path that leads out in a GNU name': [tarEntry('L', { type: 'L', content: '../evil\0' }), tarEntry('dsu/good')],
  'a link that leads out': [tarEntry('dsu/link', { type: '2', target: '../../..' })],
  'an absolute link': [tarEntry('dsu/link', { type: '2', target: '/etc/passwd' })],
  'a link to nothing': [tarEntry('dsu/link', { type: '2', target: 'nothing' })],
  'a link to the outside by way of another': [
    tarEntry('dsu/a/b/', { type: '5' }),
    tarEntry('dsu/a/up', { type: '2', target: '..' }),
    tarEntry('dsu/out', { type: '2', target: 'a/up/../..' }),
  ],
  'a file behind a link': [tarEntry('dsu/link', { type: '2', target: '.' }), tarEntry('dsu/link/evil', { content: 'x' })],
  'a link in place of a directory': [tarEntry('dsu/lib/a', { content: 'x' }), tarEntry('dsu/lib', { type: '2', target: '..' })],
  'a hard link that leads out': [tarEntry('dsu/link', { type: '1', target: '../../../evil' })],
  'a hard link to a link': [tarEntry('dsu/l', { type: '2', target: '.' }), tarEntry('dsu/h', { type: '1', target: 'dsu/l' })],
  'a hard link to what comes later': [tarEntry('dsu/h', { type: '1', target: 'dsu/later' }), tarEntry('dsu/later')],
  'a character device': [tarEntry('dsu/zero', { type: '3' })],
  'a block device': [tarEntry('dsu/disk', { type: '4' })],
  'a pipe': [tarEntry('dsu/pipe', { type: '6' })],
  'a file with holes': [tarEntry('dsu/sparse', { type: 'S' })],
  'a file with holes in pax': [paxEntry({ 'GNU.sparse.major': '1' }), tarEntry('dsu/sparse')],
  'the same file twice': [tarEntry('dsu/a', { content: '1' }), tarEntry('dsu/a', { content: '2' })],
  'a file as a directory': [tarEntry('dsu/a', { content: '1' }), tarEntry('dsu/a/b', { content: '2' })],
  'a directory with content': [tarEntry('dsu/a/', { type: '5', content: 'x' })],
  'a name that is not UTF-8': [tarEntry('dsu/a', { more: { 4: '\xff' } })],
  'no name': [tarEntry('.', { content: 'x' })],
  'a size that is no number': [tarEntry('dsu/a', { more: { 124: '9999' } })],
  'a negative size': [tarEntry('dsu/a', { more: { 124: `\xff${'\xff'.repeat(11)}` } })],
  'a size beyond all': [tarEntry('dsu/a', { more: { 124: `\x80${'\x7f'.repeat(11)}` } })],
  'a size beyond its end': [tarEntry('dsu/a', { size: 1 << 30 })],
  'a pax record with a wrong length': [tarEntry('pax', { type: 'x', content: '99 path=dsu/a\n' }), tarEntry('dsu/a')],
  'a pax record without a length': [tarEntry('pax', { type: 'x', content: 'path=dsu/a\n' }), tarEntry('dsu/a')],
  'a pax size that is no number': [paxEntry({ size: '-1' }), tarEntry('dsu/a')],
  'a name without end': [tarEntry('x', { type: 'L', content: Buffer.alloc((1 << 20) + 1, 'a') }), tarEntry('dsu/a')],
  'two folders': [tarEntry('other/a', { content: 'x' })],
};

for (const [what, entries] of Object.entries(HOSTILE)) {
  test(`an archive with ${what} is refused and leaves nothing`, async (t) => {
    const { options, folder } = await releaseOf(t, { archive: tarGz(PROGRAM, ...entries) });
    await assert.rejects(ensureRuntime(options), { code: 'archive_invalid' });
    assert.deepEqual(left(folder), []);
    assert.deepEqual(left(path.dirname(folder)), ['dsu']);
  });
}

/** With another byte in the middle, or at some place. */
function changed(data, at = data.length >> 1) {
  const copy = Buffer.from(data);
  copy[at] ^= 0xff;
  return copy;
}

const PADDED = zlib.gzipSync(Buffer.concat([PROGRAM, Buffer.alloc(8 << 20)]));
const DAMAGED = {
  'cut off': ARCHIVE.subarray(0, ARCHIVE.length >> 1),
  'changed in the middle': changed(ARCHIVE),
  'changed in its last checksum': changed(PADDED, PADDED.length - 6),
  'not packed': Buffer.from('<html>Not found</html>'),
  empty: tarGz(),
  'without its end': zlib.gzipSync(PROGRAM),
  'without a program': tarGz(tarEntry('dsu/readme', { content: 'x' })),
  'with a damaged header': tarGz(PROGRAM, changed(tarEntry('dsu/a'), 0)),
};

for (const [what, archive] of Object.entries(DAMAGED)) {
  test(`an archive that is ${what} is refused and leaves nothing`, async (t) => {
    const { options, folder } = await releaseOf(t, { archive });
    await assert.rejects(ensureRuntime(options), { code: 'archive_invalid' });
    assert.deepEqual(left(folder), []);
  });
}

const HOSTILE_ZIPS = {
  'a path that leads out': [{ name: 'dsu/../../evil', content: 'x' }],
  'an absolute path': [{ name: '/tmp/dsu-evil', content: 'x' }],
  'a path of Windows': [{ name: 'dsu\\evil', content: 'x' }],
  'a link': [{ name: 'dsu/link', content: '/etc/passwd', mode: 0o120777 }],
  'a device': [{ name: 'dsu/zero', mode: 0o020666 }],
  'an encrypted file': [{ name: 'dsu/a', content: 'x', flags: 0x0801 }],
  'a name of unknown encoding': [{ name: 'dsu/Größe', content: 'x', flags: 0 }],
  'a file larger than it says': [{ name: 'dsu/a', content: 'x'.repeat(1000), size: 10 }],
  'a file smaller than it says': [{ name: 'dsu/a', content: 'x', size: 1000 }],
  'the same file twice': [{ name: 'dsu/dsu-demucs', content: 'x' }],
};

for (const [what, files] of Object.entries(HOSTILE_ZIPS)) {
  test(`a zip archive with ${what} is refused and leaves nothing`, async (t) => {
    const archive = zip([{ name: 'dsu/dsu-demucs', content: 'program' }, ...files]);
    const { options, folder } = await releaseOf(t, { archive, name: 'dsu-win-cpu.zip' });
    await assert.rejects(ensureRuntime(options), { code: 'archive_invalid' });
    assert.deepEqual(left(folder), []);
    assert.deepEqual(left(path.dirname(folder)), ['dsu']);
  });
}

test('a zip archive that is cut off or none at all is refused', async (t) => {
  const archive = zip([{ name: 'dsu/dsu-demucs', content: 'program' }]);
  for (const bad of [archive.subarray(0, -30), archive.subarray(30), Buffer.from('text'), Buffer.alloc(0)]) {
    const { options, folder } = await releaseOf(t, { archive: bad, name: 'dsu-win-cpu.zip' });
    await assert.rejects(ensureRuntime(options), { code: 'archive_invalid' });
    assert.deepEqual(left(folder), []);
  }
});

test('an archive that swells is stopped where its size is bounded', async (t) => {
  const content = Buffer.alloc(32 << 20);
  const tar = tarGz(PROGRAM, tarEntry('dsu/zeros', { content }));
  const packed = zip([{ name: 'dsu/dsu-demucs', content }]);
  for (const [name, archive] of [[NAME, tar], ['dsu-win-cpu.zip', packed]]) {
    const { options, folder } = await releaseOf(t, { name, archive });
    await assert.rejects(ensureRuntime({ ...options, maxUnpackedBytes: 1 << 20 }), {
      code: 'archive_invalid',
      message: /larger than 1048576 bytes/,
    });
    assert.deepEqual(left(folder), []);
  }
});

// Giving up, and being killed

test('an abort ends a download, and the next call goes on with it', async (t) => {
  const { options, requests, folder } = await releaseOf(t, { answers: [only(2 << 20, { destroy: false })] });
  const controller = new AbortController();
  const onProgress = ({ doneBytes }) => doneBytes >= 1 << 20 && controller.abort('not now');
  await assert.rejects(ensureRuntime({ ...options, onProgress, signal: controller.signal }), { name: 'AbortError', cause: 'not now' });
  await assert.rejects(ensureRuntime({ ...options, signal: controller.signal }), { name: 'AbortError' });
  assert.match(left(folder).join(), /\.part$/);
  await ensureRuntime(options);
  assert.ok(requests[1].start >= 1 << 20);
});

test('an abort while unpacking leaves the archive only, which is not downloaded again', async (t) => {
  const { options, requests, folder } = await releaseOf(t);
  const controller = new AbortController();
  const onProgress = ({ stage }) => stage === 'unpack' && controller.abort();
  await assert.rejects(ensureRuntime({ ...options, onProgress, signal: controller.signal }), { name: 'AbortError' });
  assert.match(left(folder).join(), /^[^,]+\.part$/);
  await ensureRuntime(options);
  assert.equal(requests.length, 1);
});

test('an exception of the listener is the caller’s', async (t) => {
  const { options } = await releaseOf(t);
  const onProgress = () => {
    throw new TypeError('mine');
  };
  await assert.rejects(ensureRuntime({ ...options, onProgress }), { name: 'TypeError', message: 'mine' });
});

function installing(t, options, stopAt = '') {
  const env = { ...process.env, RUNTIME_OPTIONS: JSON.stringify(options), STOP_AT: stopAt };
  const file = path.join(__dirname, '..', 'testing', 'installing.js');
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

for (const stage of ['download', 'unpack']) {
  test(`a process that is killed in the middle of its ${stage} leaves nothing half, and the next goes on`, async (t) => {
    const { options, folder, requests } = await releaseOf(t, { answers: stage === 'download' ? [only(2 << 20, { destroy: false })] : [] });
    const child = installing(t, options, stage);
    let printed = '';
    while (!printed.includes(stage)) printed += (await once(child.stdout, 'data'))[0];
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    assert.equal(await locateRuntime(options), null);
    assert.ok(left(folder).includes('runtime.lock'));
    await ensureRuntime(options);
    assert.deepEqual(left(folder), [options.sha256.slice(0, 16)]);
    assert.equal(requests.length, stage === 'download' ? 2 : 1);
  });
}

test('of several processes at once one downloads, and all get the same', async (t) => {
  const { options, folder, requests } = await releaseOf(t);
  const children = Array.from({ length: 3 }, () => installing(t, options));
  const outputs = children.map(async (child) => {
    let text = '';
    for await (const chunk of child.stdout) text += chunk;
    return text.trim().split('\n').at(-1);
  });
  const here = [ensureRuntime(options), ensureRuntime(options)].map(async (runtime) => (await runtime).dir);
  const dirs = new Set(await Promise.all([...outputs, ...here]));
  assert.deepEqual([...dirs], [path.join(folder, options.sha256.slice(0, 16), 'dsu')]);
  assert.equal(requests.length, 1);
  assert.deepEqual(left(folder), [options.sha256.slice(0, 16)]);
});

test('two that have lost their lock get in each other’s way and both get the runtime', async (t) => {
  let release; // the end of the first download
  const held = (response, data, start) => {
    only(1 << 20, { destroy: false })(response, data, start);
    release = () => response.end(data.subarray(1 << 20));
  };
  const { options, folder, requests } = await releaseOf(t, { answers: [held] });
  let begun;
  const beginning = new Promise((resolve) => (begun = resolve));
  const first = ensureRuntime({ ...options, onProgress: begun });
  await beginning;
  fs.rmSync(path.join(folder, 'runtime.lock'));
  const second = await ensureRuntime(options);
  release();
  assert.deepEqual(await first, second);
  assert.equal(requests.length, 2);
  assert.deepEqual(left(folder), [options.sha256.slice(0, 16)]);
});

test('a lock of another computer counts until nobody has touched it for a while', async (t) => {
  const file = path.join(temporaryFolder(t), 'lock');
  fs.writeFileSync(file, JSON.stringify({ pid: 1, host: 'another', token: 'x' }));
  let asked = 0;
  const check = () => {
    asked += 1;
    if (asked === 3) throw new Error('given up');
  };
  await assert.rejects(withLock(file, () => assert.fail('two at once'), check), /given up/);
  assert.equal(await withLock(file, async () => 'mine', () => {}, 100), 'mine');
  assert.deepEqual(left(path.dirname(file)), []);
});

test('a lock of a process that is gone is taken at once', async (t) => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const file = path.join(temporaryFolder(t), 'lock');
  fs.writeFileSync(file, JSON.stringify({ pid, host: os.hostname(), token: 'x' }));
  assert.equal(await withLock(file, async () => 'mine', () => {}, Number.POSITIVE_INFINITY), 'mine');
});

test('a lock is left to whoever has it when the work is over', async (t) => {
  const file = path.join(temporaryFolder(t), 'lock');
  await withLock(file, async () => fs.writeFileSync(file, 'of another'), () => {});
  assert.equal(fs.readFileSync(file, 'utf8'), 'of another');
});

// Options

test('options that cannot work are refused before anything is written', async (t) => {
  const { options, folder, requests } = await releaseOf(t);
  const { sha256: known, ...unchecked } = options;
  const wrong = {
    invalid_request: [
      unchecked,
      { ...options, folder: 'relative' },
      { ...options, url: 'ftp://example.com/dsu.zip' },
      { ...options, url: undefined },
      { ...options, sha256: known.slice(1) },
      { ...unchecked, checksums: path.join(folder, 'SHA256SUMS') },
    ],
    runtime_unavailable: [{ ...options, url: 'https://example.com/dsu-win-cuda.7z' }],
  };
  for (const [code, all] of Object.entries(wrong)) {
    for (const some of all) await assert.rejects(ensureRuntime(some), { code });
  }
  assert.deepEqual([left(folder), requests], [[], []]);
});

test('a folder that cannot be written to is said', async (t) => {
  const { options } = await releaseOf(t);
  const file = path.join(temporaryFolder(t), 'file');
  fs.writeFileSync(file, '');
  await assert.rejects(ensureRuntime({ ...options, folder: file }), { code: 'output_not_writable' });
  await assert.rejects(ensureRuntime({ ...options, folder: path.join(file, 'dsu') }), { code: 'output_not_writable' });
});

test('a fetch of the application is used', async (t) => {
  const { options } = await releaseOf(t);
  const asked = [];
  const own = (url, how) => {
    asked.push(url);
    return fetch(url, how);
  };
  await ensureRuntime({ ...options, fetch: own });
  assert.deepEqual(asked, [options.url]);
});

test('every system has its archive, or an error that says which have', () => {
  const names = [['linux', 'x64'], ['win32', 'x64'], ['darwin', 'arm64']].map((system) => archiveName(...system));
  assert.deepEqual(names, ['dsu-linux-cpu.tar.gz', 'dsu-win-cpu.zip', 'dsu-mac-arm.tar.gz']);
  assert.throws(() => archiveName('linux', 'arm64'), { code: 'runtime_unavailable', message: /linux-arm64.*linux-x64/ });
});
