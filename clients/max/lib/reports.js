'use strict';
// What is sent to the patch: lines and errors of workers as messages whose first word is their kind.

const { toMax } = require('./atoms');

/** `stem NAME PATH ID` for each file of a reply. */
function stemMessages({ paths = {} }, id) {
  return Object.entries(paths).map(([name, file]) => ['stem', name, toMax(file), id]);
}

/** The separations in a reply: several if it answers a folder. */
function separations(reply) {
  return reply.results?.filter(({ status }) => status === 'done') ?? [reply];
}

/** `done DIR SECONDS ID` for the replies of a job; a sequence has several. */
function doneMessage(replies, { id, output }) {
  const seconds = replies.reduce((sum, { elapsed = 0 }) => sum + elapsed, 0);
  return ['done', toMax(replies.at(-1).output_dir ?? output), Number(seconds.toFixed(3)), id];
}

/** `progress PERCENT ID STAGE`; for a sequence, the overall progress. */
function progressMessage({ status, percent = 0, total_percent: total, stage }, id) {
  return ['progress', total ?? percent, id, stage ?? (status === 'downloading' ? 'download' : 'separate')];
}

/** The client's advice, in terms of messages. */
const ADVICE = {
  start_timeout: 'Send `start` once more: the first start of all takes the longest.',
  step_invalid: 'In Max, write the step as NAME:MODEL:STEM.',
  worker_not_found: 'In Max, `dir` is the message `executables DIR`.',
};

/** What workers call as programs and shells do, and the message for it. */
const WORDING = [
  [/\{"cmd":"list_models"\}/g, '`models`'],
  [/\{"cmd":"download_model","model":"?([^"}]+)"?\}/g, '`download $1`'],
  [/`--device (\S+)`/g, '`device $1`'],
];

function inMax(text) {
  return WORDING.reduce((words, [theirs, ours]) => words.replace(theirs, ours), text);
}

/** `error MESSAGE CODE`, and the job's number if there is a job. */
function errorMessage({ message, code = 'internal', hint }, id) {
  const text = [message, ADVICE[code] ?? hint].filter(Boolean).join(' ');
  return ['error', inMax(text), code, ...(id === undefined ? [] : [id])];
}

function warningMessages({ warnings = [] }, id) {
  return warnings.map((warning) => ['warning', inMax(warning), id]);
}

/** The contents of the dictionary with the last result. */
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
