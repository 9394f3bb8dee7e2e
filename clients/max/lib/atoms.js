'use strict';
// What Max sends, as what workers take, and back: atoms as words and numbers, paths in Max's way of writing.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** A message that cannot be carried out as it was sent. */
function refusal(message) {
  return Object.assign(new Error(message), { code: 'invalid_message' });
}

/** Atoms as one text: Max splits what is not in quotes at its spaces. */
function textOf(atoms) {
  return atoms.map(String).join(' ').trim();
}

/** Where macOS has the volume of this name; that of the system is the root itself. */
function volumeRoot(name, realpath = fs.realpathSync) {
  const place = `/Volumes/${name}`;
  try {
    return realpath(place) === '/' ? '' : place;
  } catch {
    return place;
  }
}

/**
 * A path as the system writes it, for one as Max does: `Macintosh HD:/Users/me/a.wav`, `C:/Users/me/a.wav`, `~/a.wav`.
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

/** A path for Max, which writes `/` on Windows too. */
function toMax(file, platform = process.platform) {
  return platform === 'win32' ? file.replaceAll('\\', '/') : file;
}

/**
 * The file or folder that the first atoms name, which are several where a path with spaces has no quotes.
 *
 * @param {Array<string | number>} atoms
 * @param {(file: string) => boolean} exists
 * @returns {{file: string, rest: Array<string | number>}} `file` is a native path that exists
 */
function takePath(atoms, exists = fs.existsSync) {
  if (textOf(atoms) === '') throw refusal('There is no path in the message. Send one, in quotes if it has spaces.');
  for (let count = 1; count <= atoms.length; count += 1) {
    const file = toNative(textOf(atoms.slice(0, count)));
    if (exists(file)) return { file, rest: atoms.slice(count) };
  }
  throw refusal(`There is no file ${toNative(textOf(atoms))}. Give a whole path, in quotes if it has spaces.`);
}

module.exports = { refusal, takePath, textOf, toMax, toNative, volumeRoot };
