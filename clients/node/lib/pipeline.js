'use strict';
// A song through several models: what one step leaves is what the next one takes.

const path = require('node:path');
const { DSUError } = require('./errors');

/** The absolute path of each stem of a reply. */
function stemPaths(reply) {
  return reply.paths ?? Object.fromEntries(reply.stems.map((stem, i) => [stem, fileAt(reply, reply.files[i])]));
}

function fileAt(reply, file) {
  return path.resolve(reply.output_dir ?? '', file);
}

/** The file of the stem `take`, whatever the case of its name; without `take`, the only one there is. */
function pick(reply, take, index) {
  const paths = stemPaths(reply);
  const names = Object.keys(paths);
  const matches = take === undefined ? names : names.filter((name) => name.toLowerCase() === take.toLowerCase());
  if (matches.length === 1) return paths[matches[0]];
  const asked = take === undefined ? 'does not say which stem goes on' : `has no stem \`${take}\``;
  const message = `Step ${index} ${asked}. Its stems: ${names.join(', ')}; name one as \`take\`.`;
  throw new DSUError('step_invalid', message, { reply });
}

/**
 * @param {(kind: string, request: object, options: object) => Promise<object>} run
 * @param {Array<object | ((input: string, results: object[]) => object)>} steps `{worker, cmd = 'separate', take, …}`
 * @param {{input: string, output?: string, signal?: AbortSignal, onProgress?: Function}} options
 * @returns {Promise<{results: object[], paths: Record<string, string>, path: string | null}>}
 */
async function runPipeline(run, steps, { input, output, signal, onProgress }) {
  const results = [];
  let current = input;
  let take;
  for (const [index, entry] of steps.entries()) {
    if (index > 0) current = pick(results[index - 1], take, index - 1);
    const { worker, take: goesOn, ...fields } = typeof entry === 'function' ? entry(current, results) : entry;
    take = goesOn;
    const request = { cmd: 'separate', ...fields, input: current };
    if (request.output === undefined && request.output_dir === undefined) request.output_dir = output;
    const report = onProgress && ((line) => onProgress(overall(line, index, steps.length)));
    results.push(await run(worker, request, { signal, onProgress: report }));
  }
  return conclude(results, take);
}

/** A step's progress and how far that is of the whole. */
function overall(line, step, steps) {
  return { ...line, step, steps, total_percent: (100 * step + (line.percent ?? 0)) / steps };
}

function conclude(results, take) {
  const last = results.at(-1);
  if (!last) return { results, paths: {}, path: null };
  const paths = stemPaths(last);
  const only = take !== undefined || Object.keys(paths).length === 1;
  return { results, paths, path: only ? pick(last, take, results.length - 1) : null };
}

module.exports = { runPipeline };
