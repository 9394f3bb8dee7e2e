'use strict';
// What is sent to the patch: a worker's lines and errors as messages whose first word tells what they are.

const { toMax } = require('./atoms');

/** `stem NAME PATH ID` for each file of an answer. */
function stemMessages({ paths = {} }, id) {
  return Object.entries(paths).map(([name, file]) => ['stem', name, toMax(file), id]);
}

/** The separations that a reply tells of: many, where it answers a folder. */
function separations(reply) {
  return reply.results?.filter(({ status }) => status === 'done') ?? [reply];
}

/** `done DIR SECONDS ID` for the replies of a job, of which a sequence has several. */
function doneMessage(replies, { id, output }) {
  const seconds = replies.reduce((sum, { elapsed = 0 }) => sum + elapsed, 0);
  return ['done', toMax(replies.at(-1).output_dir ?? output), Number(seconds.toFixed(3)), id];
}

/** `progress PERCENT ID STAGE`: of a sequence, how far the whole is. */
function progressMessage({ status, percent = 0, total_percent: total, stage }, id) {
  return ['progress', total ?? percent, id, stage ?? (status === 'downloading' ? 'download' : 'separate')];
}

/** How the advice of the client reads for whoever sends messages. */
const ADVICE = {
  step_invalid: 'In Max, write the step as NAME:MODEL:STEM.',
  worker_not_found: 'In Max, `dir` is the message `executables DIR`.',
};

/** `error MESSAGE CODE` and the job's number, if it was one. */
function errorMessage({ message, code = 'internal', hint }, id) {
  const text = [message, ADVICE[code] ?? hint].filter(Boolean).join(' ');
  return ['error', text, code, ...(id === undefined ? [] : [id])];
}

function warningMessages({ warnings = [] }, id) {
  return warnings.map((warning) => ['warning', warning, id]);
}

/** What the dictionary of the last result holds. */
function resultDictionary(replies, { id, input, output }) {
  const parts = replies.flatMap(separations);
  const [, folder, seconds] = doneMessage(replies, { id, output });
  const stems = parts.flatMap(({ paths = {} }) => Object.entries(paths));
  return {
    id,
    input: toMax(input),
    output_dir: folder,
    seconds,
    models: parts.map(({ model }) => model ?? ''),
    stems: Object.fromEntries(stems.map(([name, file]) => [name, toMax(file)])),
    files: stems.map(([, file]) => toMax(file)),
  };
}

module.exports = { doneMessage, errorMessage, progressMessage, resultDictionary, stemMessages, warningMessages };
