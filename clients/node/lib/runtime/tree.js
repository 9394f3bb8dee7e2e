'use strict';
// A folder that an archive is unpacked into, whatever the archive says: nothing outside the folder, nothing but files,
// directories and links to them, and no more than was allowed.

const fs = require('node:fs/promises');
const path = require('node:path');
const { DSUError } = require('../errors');

const MOST_ENTRIES = 200_000;
const DEEPEST = 64;
const LONGEST_BYTES = 255; // of one name, in any file system
// What leads to another folder, or what Windows reads as another path, another stream of a file, or a device: refused
// everywhere, as no archive of ours has it. `..` ends with a dot.
const STRANGE_CHARACTERS = /[\\:\u0000-\u001f\u007f]/;
const STRANGE_PART = /[ .]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

function invalid(message, cause) {
  return new DSUError('archive_invalid', `The archive of DSU cannot be used: ${message}.`, { cause });
}

class Tree {
  #root;
  #maxBytes;
  #check;
  #bytes = 0;
  /** What each name is: `directory`, `file` or `link`. */
  #kinds = new Map();
  #links = [];

  /**
   * @param {string} root a folder that is there and empty
   * @param {{maxBytes: number, check(): void}} limits `check` throws if the work is to end
   */
  constructor(root, { maxBytes, check }) {
    this.#root = root;
    this.#maxBytes = maxBytes;
    this.#check = check;
  }

  /** Count bytes that come out of the archive, before anything is done with them. */
  spend(bytes) {
    this.#check();
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) throw invalid(`unpacked it is larger than ${this.#maxBytes} bytes`);
  }

  async addDirectory(name) {
    await this.#makeDirectories(partsOf(name));
  }

  /** @param {AsyncIterable<Buffer>} chunks */
  async addFile(name, executable, chunks) {
    const file = await this.#place(name, 'file');
    const handle = await fs.open(file, 'wx', executable ? 0o755 : 0o644).catch(existsTwice(name));
    try {
      for await (const chunk of chunks) await handle.writeFile(chunk); // goes on where the last one ended
    } finally {
      await handle.close();
    }
  }

  /** A second name of a file that is already there; where the file system has no such names, a copy. */
  async addHardLink(name, target) {
    const parts = partsOf(target);
    if (this.#kinds.get(parts.join('/')) !== 'file') throw invalid(`${name} is a link to ${target}, which is no file in it`);
    const [from, to] = [this.#pathOf(parts), await this.#place(name, 'file')];
    try {
      await fs.link(from, to);
    } catch (error) {
      if (error.code === 'EEXIST') existsTwice(name)(error);
      this.spend((await fs.stat(from)).size);
      await fs.copyFile(from, to, fs.constants.COPYFILE_EXCL);
    }
  }

  /** Links are made at the end, so that nothing is ever written through one. */
  async addLink(name, target) {
    this.#links.push({ name, target, file: await this.#place(name, 'link') });
  }

  /** Make the links, and refuse those that lead out of the folder or nowhere, also by way of each other. */
  async finish() {
    for (const { name, target, file } of this.#links) {
      if (path.isAbsolute(target) || STRANGE_CHARACTERS.test(target)) throw leadsOut(name, target);
      await fs.symlink(target, file).catch(existsTwice(name));
    }
    const root = await fs.realpath(this.#root);
    for (const { name, target, file } of this.#links) {
      const place = await fs.realpath(file).catch(() => '');
      if (!place.startsWith(root + path.sep)) throw leadsOut(name, target);
    }
  }

  /** The path for something new, in a directory that is there. Where something has that path already, creating it fails. */
  async #place(name, kind) {
    const parts = partsOf(name);
    if (parts.length === 0) throw invalid('something in it has no name');
    await this.#makeDirectories(parts.slice(0, -1));
    const key = parts.join('/');
    this.#remember(key, kind);
    return this.#pathOf(parts);
  }

  async #makeDirectories(parts) {
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const some = parts.slice(0, depth);
      const key = some.join('/');
      const kind = this.#kinds.get(key);
      if (kind === 'directory') continue;
      if (kind) throw invalid(`${key} is a ${kind} and a directory`);
      this.#remember(key, 'directory');
      await fs.mkdir(this.#pathOf(some)).catch((error) => {
        // A name that differs in case only, where the file system sees none: the directory must really be one.
        if (error.code !== 'EEXIST') throw error;
      });
    }
  }

  #remember(key, kind) {
    if (this.#kinds.size >= MOST_ENTRIES) throw invalid(`it has more than ${MOST_ENTRIES} files`);
    this.#kinds.set(key, kind);
  }

  #pathOf(parts) {
    return path.join(this.#root, ...parts);
  }
}

/** The names of the folders and of the file in a name of an archive. */
function partsOf(name) {
  const parts = name.split('/').filter((part, i, all) => part !== '.' && !(part === '' && i === all.length - 1));
  const strange = (part) => part === '' || STRANGE_PART.test(part) || Buffer.byteLength(part) > LONGEST_BYTES;
  if (parts.length > DEEPEST || STRANGE_CHARACTERS.test(name) || parts.some(strange)) {
    throw invalid(`it has a file with the name ${JSON.stringify(name.slice(0, 200))}`);
  }
  return parts;
}

function existsTwice(name) {
  return (error) => {
    throw error.code === 'EEXIST' ? invalid(`it has ${name} twice`) : error;
  };
}

function leadsOut(name, target) {
  return invalid(`its link ${name} leads to ${JSON.stringify(target.slice(0, 200))}, which is not in it`);
}

module.exports = { Tree, invalid };
