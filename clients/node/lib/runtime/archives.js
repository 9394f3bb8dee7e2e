'use strict';
// Which archive of a release is for which system, and what its file of checksums says about it.

const { DSUError } = require('../errors');

/** The archives that every release has, but for CUDA's, which come in parts. */
const ARCHIVES = Object.freeze({
  'darwin-arm64': 'dsu-mac-arm.tar.gz',
  'linux-x64': 'dsu-linux-cpu.tar.gz',
  'win32-x64': 'dsu-win-cpu.zip',
});

/**
 * The name of a release's archive for a system; by default the one that this program runs on.
 *
 * @param {string} platform
 * @param {string} arch
 * @returns {string}
 */
function archiveName(platform = process.platform, arch = process.arch) {
  const name = ARCHIVES[`${platform}-${arch}`];
  if (name) return name;
  const known = Object.keys(ARCHIVES).join(', ');
  throw new DSUError('runtime_unavailable', `DSU has no archive for ${platform}-${arch}. There are some for ${known}.`);
}

/** The SHA-256 of a file in the text of a `SHA256SUMS`, in lower case. */
function checksumIn(text, name) {
  for (const line of text.split(/\r?\n/)) {
    const [, digest, file] = /^([0-9a-f]{64}) [ *](.+)$/i.exec(line) ?? [];
    if (file === name) return digest.toLowerCase();
  }
  throw new DSUError('checksum_mismatch', `The checksums have no line for ${name}.`);
}

module.exports = { archiveName, checksumIn };
