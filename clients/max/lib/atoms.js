'use strict';
// Converts between Max and the workers: atoms to words and numbers, paths to and from Max's notation.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** The error for a message that is wrong. */
function refusal(message) {
  return Object.assign(new Error(message), { code: 'invalid_message' });
}

/** Atoms as one text: without quotes, Max splits a message at its spaces. */
function textOf(atoms) {
  return atoms.map(String).join(' ').trim();
}

/** Where macOS mounts the volume with this name; the system volume is the root itself. */
function volumeRoot(name, realpath = fs.realpathSync) {
  const place = `/Volumes/${name}`;
  try {
    return realpath(place) === '/' ? '' : place;
  } catch {
    return place;
  }
}

/**
 * A native path for one in Max's notation: `Macintosh HD:/Users/me/a.wav`, `C:/Users/me/a.wav`, `~/a.wav`.
 *
 * @param {string} text
 * @param {{platform?: string, home?: string, rootOf?: (volume: string) => string}} system
 */
function toNative(text, { platform = process.platform, home = os.homedir(), rootOf = volumeRoot } = {}) {
  const rules = platform === 'win32' ? path.win32 : path.posix;
  if (/^~(?=$|[\\/])/.test(text)) return rules.join(home, text.slice(1));
  const [, volume, rest] = (platform === 'darwin' && /^([^/:]+):(\/.*)$/s.exec(text)) || [];
  return rules.resolve(volume === undefined ? text : rootOf(volume) + rest);
}

/** A path for Max, which uses `/` on Windows too. */
function toMax(file, platform = process.platform) {
  return platform === 'win32' ? file.replaceAll('\\', '/') : file;
}

/**
 * The file or folder named by the first atoms: several atoms if a path with spaces has no quotes.
 *
 * @param {Array<string | number>} atoms
 * @param {(file: string) => boolean} exists
 * @returns {{file: string, rest: Array<string | number>}} `file` is a native path that exists
 */
function takePath(atoms, exists = fs.existsSync) {
  if (textOf(atoms) === '') throw refusal('The message has no path. Add one, in quotes if it contains spaces.');
  for (let count = 1; count <= atoms.length; count += 1) {
    const file = toNative(textOf(atoms.slice(0, count)));
    if (exists(file)) return { file, rest: atoms.slice(count) };
  }
  throw refusal(`There is no file ${toNative(textOf(atoms))}. Give the full path, in quotes if it contains spaces.`);
}

module.exports = { refusal, takePath, textOf, toMax, toNative, volumeRoot };
