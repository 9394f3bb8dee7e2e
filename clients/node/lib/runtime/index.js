'use strict';
// The exports for `require('dsu-client/runtime')`: puts the programs of a release into a folder of an application. They
// are there as a whole or not at all, in however many processes and however often this is tried.

const { randomUUID } = require('node:crypto');
const { createReadStream } = require('node:fs');
const fs = require('node:fs/promises');
const path = require('node:path');
const { pipeline } = require('node:stream/promises');
const { fileURLToPath } = require('node:url');
const zlib = require('node:zlib');
const { CancelledError, DSUError } = require('../errors');
const { archiveName, checksumIn } = require('./archives');
const { PART, download, fetchText } = require('./download');
const { UNPACKING, clear, describe, isName, locate, nameOf, publish, sweep } = require('./folder');
const { withLock } = require('./lock');
const { unpackTar } = require('./tar');
const { Tree, invalid } = require('./tree');
const { unpackZip } = require('./zip');

const DEFAULTS = Object.freeze({
  maxArchiveBytes: 4 * 1024 ** 3,
  maxUnpackedBytes: 16 * 1024 ** 3,
  silenceTimeoutMs: 60_000,
  retryWaitMs: 500,
  removeOthers: false,
});
const LOCK = 'runtime.lock';
const READ_BYTES = 1 << 18;
/** Progress is reported in steps of this many bytes. */
const STEP_BYTES = 1 << 20;
const NOT_WRITABLE = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'];

/**
 * The runtime in `folder`; it is downloaded and unpacked first unless it is there.
 *
 * @param {object} options see the README
 * @returns {Promise<{dir: string, sha256: string}>} options for a worker
 */
async function ensureRuntime(options) {
  const wanted = await checked(options);
  const found = await locate(wanted);
  if (found) return found;
  const installation = new Installation(wanted);
  try {
    installation.check();
    await fs.mkdir(wanted.folder, { recursive: true });
    const install = async () => (await locate(wanted)) ?? installation.run();
    return await withLock(path.join(wanted.folder, LOCK), install, () => installation.check());
  } catch (error) {
    const theirs = error instanceof CancelledError ? null : await locate(wanted);
    if (theirs) return theirs; // of a process that took the lock away, and with it what was being worked on
    throw explained(error, wanted.folder);
  }
}

/**
 * The runtime in `folder`, or null if it is not there. Downloads nothing and writes nothing.
 *
 * @param {object} options those of `ensureRuntime`
 * @returns {Promise<{dir: string, sha256: string} | null>}
 */
async function locateRuntime(options) {
  return locate(await checked(options));
}

// Options ------------------------------------------------------------------------------------------------------------

/** The options with their defaults, and with the hash where that is known without asking a server. */
async function checked(options) {
  const wanted = { fetch: globalThis.fetch, ...DEFAULTS, ...options };
  const { folder, checksums } = wanted;
  if (typeof folder !== 'string' || !path.isAbsolute(folder)) throw refused('`folder` must be an absolute path.');
  if (!isRemote(wanted.url)) throw refused('`url` must be the https address of an archive.');
  wanted.url = String(wanted.url);
  if (!/\.(tar\.gz|tgz|zip)$/.test(nameAt(wanted.url))) {
    const advice = 'Unpack a 7z archive yourself, for example when your application is built, and give workers its folder in `dir`.';
    throw new DSUError('runtime_unavailable', `Only .tar.gz and .zip archives can be installed, not ${wanted.url}. ${advice}`);
  }
  if (wanted.sha256 === undefined && checksums !== undefined && !isRemote(checksums)) {
    wanted.sha256 = checksumIn(await textOf(checksums), nameAt(wanted.url));
  } else if (wanted.sha256 === undefined && checksums === undefined) {
    throw refused('Give the SHA-256 of the archive in `sha256`, or a file with it in `checksums`.');
  }
  if (wanted.sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(wanted.sha256)) {
    throw refused('`sha256` must be 64 hexadecimal digits.');
  }
  wanted.sha256 = wanted.sha256?.toLowerCase();
  return wanted;
}

function refused(message) {
  return new DSUError('invalid_request', message);
}

function isRemote(place) {
  return /^https?:\/\//i.test(String(place));
}

/** The name of the archive at a URL. */
function nameAt(url) {
  return path.posix.basename(new URL(url).pathname);
}

async function textOf(file) {
  try {
    return await fs.readFile(String(file).startsWith('file:') ? fileURLToPath(file) : file, 'utf8');
  } catch (error) {
    throw new DSUError('invalid_request', `The file of checksums cannot be read: ${error.message}.`, { cause: error });
  }
}

// Installing ---------------------------------------------------------------------------------------------------------

class Installation {
  #wanted;
  #reported = Number.NEGATIVE_INFINITY;

  constructor(wanted) {
    this.#wanted = wanted;
  }

  /** Throws if the caller has given up. */
  check() {
    const { signal } = this.#wanted;
    if (signal?.aborted) throw new CancelledError('Installing DSU was cancelled.', { cause: signal.reason });
  }

  async run() {
    const { folder, url, checksums, removeOthers, sizeBytes, maxArchiveBytes: maxBytes } = this.#wanted;
    const line = this.#line();
    this.#wanted.sha256 ??= checksumIn(await fetchText(String(checksums), line), nameAt(url));
    const { sha256 } = this.#wanted;
    const found = await locate(this.#wanted); // from another URL
    if (found) return found;
    const name = nameOf(sha256);
    await sweep(folder, (file) => file.endsWith(UNPACKING) || (file.endsWith(PART) && !file.startsWith(`${name}.`)));
    const archive = await download({ url, sha256, folder, name, sizeBytes, maxBytes }, line);
    await this.#install(archive, path.join(folder, name));
    if (removeOthers) await sweep(folder, (file) => isName(file) && file !== name);
    return locate(this.#wanted);
  }

  /** From the archive to a whole folder. An archive that is as it should be is kept for the next time, should this fail. */
  async #install(archive, place) {
    const { url, sha256 } = this.#wanted;
    const staging = `${place}.${randomUUID()}${UNPACKING}`;
    try {
      await fs.mkdir(staging);
      await this.#unpack(archive, staging);
      await describe(staging, { url, sha256 });
      this.check();
      await publish(staging, place);
      await clear(archive);
    } catch (error) {
      if (error.code === 'archive_invalid') await clear(archive);
      throw error;
    } finally {
      await clear(staging);
    }
  }

  async #unpack(archive, staging) {
    const { maxUnpackedBytes: maxBytes, url } = this.#wanted;
    const tree = new Tree(staging, { maxBytes, check: () => this.check() });
    const { size } = await fs.stat(archive);
    const onRead = (done) => this.#report('unpack', done, size);
    onRead(0);
    try {
      await (nameAt(url).endsWith('.zip') ? unpackZip : unpackTarGz)(archive, tree, onRead);
    } catch (error) {
      throw String(error.code).startsWith('Z_') ? invalid('it is damaged', error) : error;
    }
    await tree.finish();
    onRead(size);
  }

  #line() {
    const { fetch, silenceTimeoutMs, retryWaitMs, signal } = this.#wanted;
    const onBytes = (done, total) => this.#report('download', done, total);
    return { fetch, silenceTimeoutMs, retryWaitMs, signal, check: () => this.check(), onBytes };
  }

  #report(stage, doneBytes, totalBytes) {
    const near = doneBytes >= this.#reported && doneBytes - this.#reported < STEP_BYTES;
    if (near && doneBytes !== totalBytes) return;
    this.#reported = doneBytes;
    const percent = totalBytes ? Math.min((100 * doneBytes) / totalBytes, 100) : null;
    this.#wanted.onProgress?.({ stage, percent, doneBytes, totalBytes });
  }
}

async function unpackTarGz(archive, tree, onRead) {
  const file = createReadStream(archive, { highWaterMark: READ_BYTES });
  async function* counted(chunks) {
    for await (const chunk of chunks) {
      tree.spend(chunk.length);
      onRead(file.bytesRead);
      yield chunk;
    }
  }
  let reason; // the streams would report that they were destroyed, not why
  const unpack = (chunks) => unpackTar(counted(chunks), tree).catch((error) => Promise.reject((reason = error)));
  await pipeline(file, zlib.createGunzip({ chunkSize: READ_BYTES }), unpack).catch((error) => Promise.reject(reason ?? error));
}

/** What went wrong in the file system, with what to do about it. */
function explained(error, folder) {
  const cause = { cause: error };
  if (error.code === 'ENOSPC' || error.code === 'EDQUOT') {
    return new DSUError('disk_full', `There is not enough space for DSU in ${folder}. Free some, and try again.`, cause);
  }
  if (error.syscall && NOT_WRITABLE.includes(error.code)) {
    return new DSUError('output_not_writable', `DSU cannot be installed in ${folder}: ${error.message}.`, cause);
  }
  return error;
}

module.exports = { archiveName, ensureRuntime, locateRuntime };
