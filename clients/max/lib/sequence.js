'use strict';
// Parses `vr:MODEL:STEM>apollo` into the steps of a pipeline.

const { refusal } = require('./atoms');

/** The names of steps; `take` is the stem that the next step takes if the message names none. */
const STEPS = {
  demucs: { worker: 'demucs' },
  bsroformer: { worker: 'bsroformer' },
  'audio-separator': { worker: 'audio-separator' },
  audiosep: { worker: 'audiosep' },
  vr: { worker: 'audio-separator', take: 'Instrumental' },
  mdx: { worker: 'audio-separator', take: 'Instrumental' },
  apollo: { worker: 'audio-separator', cmd: 'apollo' },
};

function parseStep(text) {
  const [name, model, stem] = text.split(':').map((word) => word.trim());
  if (!Object.hasOwn(STEPS, name)) {
    throw refusal(`There is no step \`${name}\`. The steps are: ${Object.keys(STEPS).join(', ')}.`);
  }
  const { take, ...step } = STEPS[name];
  return { name, ...step, model: model || undefined, take: stem || take };
}

/**
 * Steps are separated by `>` or by `,`, which in a message box begins another message.
 *
 * @returns {Array<{name: string, worker: string, cmd?: string, model?: string, take?: string}>}
 */
function parseSequence(text) {
  const steps = text.split(/[,>]/).map(parseStep);
  const last = steps.at(-1);
  return [...steps.slice(0, -1), { ...last, take: undefined }];
}

module.exports = { STEPS, parseSequence };
