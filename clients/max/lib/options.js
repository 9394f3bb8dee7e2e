'use strict';
// The options for the following jobs: fields of requests, for all jobs or for those of one worker or step.

const { refusal, textOf, toNative } = require('./atoms');
const { STEPS } = require('./sequence');

/** Fields that are lists, and the type of their items. The tests check this against the protocol. */
const LISTS = { ensemble: String, ensemble_weights: Number, stems: String, texts: String };
/** Fields that choose the network, so that `load` uses them as well. */
const OF_MODELS = [
  'checkpoint_path',
  'clap_checkpoint_path',
  'config_path',
  'feature_dim',
  'layer',
  'model_file_dir',
  'model_path',
  'model_type',
  'repo',
  'roberta_dir',
];
/** Fields that choose the network without `model`. */
const INSTEAD_OF_NAME = [
  'checkpoint_path',
  'clap_checkpoint_path',
  'config_path',
  'ensemble',
  'ensemble_weights',
  'model_path',
  'model_type',
  'roberta_dir',
];
const WORDS = { true: true, false: false };

function isPath(field) {
  return field.endsWith('_path') || field.endsWith('_dir') || field === 'repo';
}

/** The value of a field: Max has neither lists of one item nor true and false. */
function valueOf(field, atoms) {
  if (Object.hasOwn(LISTS, field)) return atoms.map(LISTS[field]);
  if (field === 'preview') return { start: Number(atoms[0]), duration: Number(atoms[1]) };
  if (isPath(field)) return toNative(textOf(atoms));
  if (atoms.length > 1) return textOf(atoms);
  return Object.hasOwn(WORDS, atoms[0]) ? WORDS[atoms[0]] : atoms[0];
}

/** The fields of a job whose message names a model, which overrides the options; without one, unchanged. */
function withModel(fields, model) {
  if (!model) return fields;
  const kept = Object.entries(fields).filter(([field]) => !INSTEAD_OF_NAME.includes(field));
  return { ...Object.fromEntries(kept), model };
}

class Options {
  #values = new Map();

  /** `key` is `FIELD`, for all jobs, or `NAME.FIELD`, for those of one worker or step; without atoms it is removed. */
  set(key, atoms) {
    const [, name, field] = /^(?:([\w-]+)\.)?(\w+)$/.exec(key) ?? [];
    if (!field || (name !== undefined && !Object.hasOwn(STEPS, name))) {
      const names = Object.keys(STEPS).join(', ');
      throw refusal(`\`${key}\` is not an option. Write FIELD or NAME.FIELD, where NAME is one of ${names}.`);
    }
    if (atoms.length === 0) this.#values.delete(key);
    else this.#values.set(key, valueOf(field, atoms));
  }

  clear() {
    this.#values.clear();
  }

  /** The fields for jobs of this worker or step; its own options override those for all jobs. */
  fieldsFor(name) {
    const shared = [...this.#values].filter(([key]) => !key.includes('.'));
    const own = [...this.#values].filter(([key]) => key.startsWith(`${name}.`));
    return Object.fromEntries([...shared, ...own.map(([key, value]) => [key.slice(name.length + 1), value])]);
  }

  /** Only the fields that choose the network. */
  modelFieldsFor(name) {
    return Object.fromEntries(Object.entries(this.fieldsFor(name)).filter(([field]) => OF_MODELS.includes(field)));
  }
}

module.exports = { LISTS, Options, withModel };
