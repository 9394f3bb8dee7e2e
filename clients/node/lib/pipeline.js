'use strict';
// Sends a song through several models: the result of one step is the input of the next.

const path = require('node:path');
const { DSUError } = require('./errors');

/** The absolute path of each stem of a reply. */
function stemPaths(reply) {
  return reply.paths ?? Object.fromEntries(reply.stems.map((stem, i) => [stem, fileAt(reply, reply.files[i])]));
}

function fileAt(reply, file) {
  return path.resolve(reply.output_dir ?? '', file);
}

/** The file of the stem `take`, in any case; without `take`, the only file. */
function pick(reply, take, index) {
  const paths = stemPaths(reply);
  const names = Object.keys(paths);
  const matches = take === undefined ? names : names.filter((name) => name.toLowerCase() === take.toLowerCase());
  if (matches.length === 1) return paths[matches[0]];
  const problem = take === undefined ? 'does not say which stem the next step takes' : `has no stem \`${take}\``;
  const message = `Step ${index} ${problem}. Set \`take\` to one of its stems: ${names.join(', ')}.`;
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
  let take; // the stem that the next step takes
  for (const [index, entry] of steps.entries()) {
    if (index > 0) current = pick(results[index - 1], take, index - 1);
    const { worker, take: chosen, ...fields } = typeof entry === 'function' ? entry(current, results) : entry;
    take = chosen;
    const request = { cmd: 'separate', ...fields, input: current };
    if (request.output === undefined && request.output_dir === undefined) request.output_dir = output;
    const report = onProgress && ((line) => onProgress(overall(line, index, steps.length)));
    results.push(await run(worker, request, { signal, onProgress: report }));
  }
  return conclude(results, take);
}

/** The progress of a step, and of the whole pipeline. A download comes before a step and is no part of it. */
function overall(line, step, steps) {
  const percent = line.status === 'progress' ? line.percent : 0;
  return { ...line, step, steps, total_percent: (100 * step + percent) / steps };
}

function conclude(results, take) {
  const last = results.at(-1);
  if (!last) return { results, paths: {}, path: null };
  const paths = stemPaths(last);
  const only = take !== undefined || Object.keys(paths).length === 1;
  return { results, paths, path: only ? pick(last, take, results.length - 1) : null };
}

module.exports = { runPipeline };
