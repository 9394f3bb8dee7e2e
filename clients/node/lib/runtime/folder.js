'use strict';
// The folder of an application that holds runtimes. Each is a folder named by the start of its archive's SHA-256, with a
// record beside the programs. What has another name there is being worked on, or was left by a process that was killed.

const fs = require('node:fs/promises');
const path = require('node:path');
const { randomUUID } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const { WORKERS } = require('../protocol');
const { invalid } = require('./tree');

const RECORD = 'runtime.json';
const UNPACKING = '.unpacking';
/** Paths must stay short on Windows. */
const NAME_LENGTH = 16;
/** On Windows, virus scanners hold files for a while that have just been written. */
const RENAME_ATTEMPTS = 8;
const RENAME_WAIT_MS = 50;

/** The name of a runtime's folder, with which the names of everything that belongs to it begin. */
function nameOf(sha256) {
  return sha256.slice(0, NAME_LENGTH);
}

function isName(name) {
  return name.length === NAME_LENGTH && /^[0-9a-f]+$/.test(name);
}

/**
 * The runtime with this hash or, if it is not known, the one from this URL; null if it is not there.
 *
 * @param {{folder: string, url: string, sha256?: string}} wanted
 * @returns {Promise<{dir: string, sha256: string} | null>}
 */
async function locate({ folder, url, sha256 }) {
  const names = sha256 === undefined ? await list(folder, isName) : [nameOf(sha256)];
  for (const name of names) {
    const record = await recordIn(path.join(folder, name));
    if (record && (sha256 === undefined ? record.url === url : record.sha256 === sha256)) {
      return { dir: record.dir, sha256: record.sha256 };
    }
  }
  return null;
}

/** What a folder holds, or null if that is no runtime, or one that has lost a program. */
async function recordIn(place) {
  try {
    const record = JSON.parse(await fs.readFile(path.join(place, RECORD), 'utf8'));
    const dir = path.join(place, record.folder);
    await Promise.all(record.programs.map((program) => fs.access(path.join(dir, program))));
    return { ...record, dir };
  } catch {
    return null;
  }
}

/** Write the record of what was unpacked: one folder with programs. */
async function describe(staging, source) {
  const [folder, ...more] = await fs.readdir(staging);
  const inside = folder !== undefined && more.length === 0 ? await list(path.join(staging, folder), () => true) : [];
  const known = Object.values(WORKERS).flatMap(({ name }) => [name, `${name}.exe`]);
  const programs = inside.filter((file) => known.includes(file));
  if (programs.length === 0) throw invalid('it is not one folder with the programs of DSU');
  await fs.writeFile(path.join(staging, RECORD), `${JSON.stringify({ ...source, folder, programs }, null, 2)}\n`);
}

/** Give the unpacked folder its name. Where a whole one has it already, that one stays. */
async function publish(staging, place) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await fs.rename(staging, place);
      return;
    } catch (error) {
      if (await recordIn(place)) return;
      if (attempt >= RENAME_ATTEMPTS) throw error;
      if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(error.code)) await remove(place);
      else if (['EPERM', 'EACCES', 'EBUSY'].includes(error.code)) await sleep(RENAME_WAIT_MS * 2 ** attempt);
      else throw error;
    }
  }
}

/** Remove a runtime: never so that half of it is left under its name. */
async function remove(place) {
  const aside = `${place}.${randomUUID()}${UNPACKING}`;
  await fs.rename(place, aside);
  await clear(aside);
}

/** Remove what `unwanted` chooses by name. What another program has open on Windows stays until the next time. */
async function sweep(folder, unwanted) {
  for (const name of await list(folder, unwanted)) {
    const place = path.join(folder, name);
    await (isName(name) ? remove(place) : clear(place)).catch(() => {});
  }
}

async function clear(place) {
  await fs.rm(place, { recursive: true, force: true, maxRetries: 3 });
}

async function list(folder, chosen) {
  const names = await fs.readdir(folder).catch(() => []);
  return names.filter(chosen);
}

module.exports = { UNPACKING, clear, describe, isName, locate, nameOf, publish, sweep };
