'use strict';
// WAV files: header and samples of 16, 24 and 32 bits, and 32-bit floats.

const fs = require('node:fs');

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/** A reader for the samples of each encoding: (buffer, offset) to a number, with full scale at 1. */
const READERS = {
  [`${PCM}:16`]: (data, at) => data.readInt16LE(at) / 0x8000,
  [`${PCM}:24`]: (data, at) => data.readIntLE(at, 3) / 0x800000,
  [`${PCM}:32`]: (data, at) => data.readInt32LE(at) / 0x80000000,
  [`${FLOAT}:32`]: (data, at) => data.readFloatLE(at),
};

/**
 * @param {string} file
 * @returns {{rate: number, channels: number, frames: number, seconds: number, samples: Float32Array}}
 */
function readWav(file) {
  const { format, data } = partsOf(file);
  const [channels, rate, bits] = [format.readUInt16LE(2), format.readUInt32LE(4), format.readUInt16LE(14)];
  const tag = format.readUInt16LE(0);
  const coding = `${tag === EXTENSIBLE ? format.readUInt16LE(24) : tag}:${bits}`;
  const read = READERS[coding];
  if (!read) throw new Error(`${file} has unsupported samples (${coding}).`);
  const width = bits / 8;
  const samples = Float32Array.from({ length: Math.floor(data.length / width) }, (_, i) => read(data, i * width));
  const frames = samples.length / channels;
  return { rate, channels, frames, seconds: frames / rate, samples };
}

/** The length of a WAV file, even with unsupported samples; null if they are compressed. */
function wavSeconds(file) {
  const { format, data } = partsOf(file);
  const [channels, rate] = [format.readUInt16LE(2), format.readUInt32LE(4)];
  const [frameBytes, bits] = [format.readUInt16LE(12), format.readUInt16LE(14)];
  return channels * bits === 8 * frameBytes ? data.length / frameBytes / rate : null;
}

/** The format and data chunks of a WAV file. */
function partsOf(file) {
  const { 'fmt ': format, data } = chunksOf(fs.readFileSync(file), file);
  if (!format || !data) throw new Error(`${file} has no ${format ? 'samples' : 'format'}.`);
  return { format, data };
}

/** The chunks of a RIFF file by name. */
function chunksOf(bytes, file) {
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE') {
    throw new Error(`${file} is not a WAV file.`);
  }
  const chunks = {};
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at + 4);
    chunks[bytes.toString('latin1', at, at + 4)] ??= bytes.subarray(at + 8, at + 8 + size);
    at += 8 + size + (size % 2);
  }
  return chunks;
}

/** The largest absolute sample; NaN if any sample is NaN or infinite. */
function peak(samples) {
  let largest = 0;
  for (const sample of samples) {
    if (!Number.isFinite(sample)) return NaN;
    largest = Math.max(largest, Math.abs(sample));
  }
  return largest;
}

/** The largest difference of two files' samples; infinite if length or format differ. */
function largestDifference(one, other) {
  const [a, b] = [readWav(one), readWav(other)];
  if (a.rate !== b.rate || a.channels !== b.channels || a.frames !== b.frames) return Infinity;
  return peak(a.samples.map((sample, i) => sample - b.samples[i]));
}

module.exports = { largestDifference, peak, readWav, wavSeconds };
