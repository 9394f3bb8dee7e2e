'use strict';
// The models of a program: those on the command line, or else installed ones, or else small ones.

const path = require('node:path');
const { isFile, makeSmallModels } = require('../node_test_config');
const { SetupError } = require('./arguments');

/**
 * The kinds of models: their worker, the commands that load and run them, how `list_models` calls them, and how a file
 * of one is named in a request.
 */
const KINDS = {
  demucs: {
    worker: 'demucs',
    types: (type) => type === 'demucs',
    fields: (file) => ({ model: demucsName(file), repo: path.dirname(file) }),
    small: (load, folder) => ({ ...load, repo: path.join(folder, 'demucs') }),
  },
  bsroformer: {
    worker: 'bsroformer',
    types: (type) => type !== 'apollo',
    fields: networkFields,
    small: ({ model }, folder) => networkFields(path.join(folder, 'bsroformer', `${model}.ckpt`)),
  },
  vr: {
    worker: 'audio-separator',
    types: (type) => type === 'vr',
    fields: (file) => ({ model: file }),
    small: inFolderOfSeparator,
  },
  mdx: {
    worker: 'audio-separator',
    types: (type) => type === 'mdx',
    fields: (file) => ({ model: file }),
    small: inFolderOfSeparator,
  },
  apollo: {
    worker: 'audio-separator',
    types: (type) => type === 'apollo',
    fields: networkFields,
    small: (load) => load,
  },
  audiosep: {
    worker: 'audiosep',
    types: (type) => type === 'audiosep',
    fields: (file, config) => ({ checkpoint_path: file, ...withConfig(file, config) }),
    small: (load) => load,
  },
};

// Always installed, but other models are more interesting.
const BUILT_IN = 'dsu_mini';
// The names in tools/fixtures/models.py.
const SMALL = /^tiny/;

const SOURCES = {
  named: 'named on the command line',
  installed: 'installed',
  small: 'small, random weights: its times mean nothing for real models',
};

function networkFields(file, config) {
  return { model_path: file, ...withConfig(file, config) };
}

/** A bag has the name of its file, a network the signature with which its file name begins. */
function demucsName(file) {
  const { name, ext } = path.parse(file);
  return ext === '.th' ? name.split('-')[0] : name;
}

function inFolderOfSeparator(load, folder) {
  return { ...load, model_file_dir: path.join(folder, 'audio-separator') };
}

/** `config`, or the configuration that lies beside the checkpoint under its name. */
function withConfig(file, config) {
  const { dir, name } = path.parse(file);
  const beside = ['.yaml', '.yml'].map((extension) => path.join(dir, name + extension)).find(isFile);
  const found = config ?? beside;
  return found ? { config_path: found } : {};
}

/** The kinds of a worker. */
function kindsOf(worker) {
  return Object.keys(KINDS).filter((kind) => KINDS[kind].worker === worker);
}

/** A model given on the command line, by its name in the worker's list or by its file. */
function namedModel(kind, text, config) {
  const isPath = /[\\/]/.test(text) || isFile(text);
  if (isPath && !isFile(text)) throw new SetupError(`There is no model file ${text}.`);
  if (config && !isFile(config)) throw new SetupError(`There is no configuration ${config}.`);
  if (config && !isPath) throw new SetupError(`A configuration is only for a model given as a file, but \`${text}\` is a name.`);
  const fields = isPath ? KINDS[kind].fields(path.resolve(text), config && path.resolve(config)) : { model: text };
  return model(kind, isPath ? path.basename(text) : text, fields, 'named');
}

function model(kind, name, fields, source) {
  return { kind, worker: KINDS[kind].worker, name, fields, source: SMALL.test(name) ? 'small' : source };
}

/** The models in the worker's models directory, the built-in one last. */
async function installedModels(pool, kind, types = KINDS[kind].types) {
  const { worker } = KINDS[kind];
  const { details } = await pool.run(worker, { cmd: 'list_models', details: true });
  const names = details.filter(({ type, installed }) => installed && types(type)).map(({ name }) => name);
  const last = (name) => Number(name === BUILT_IN);
  return names.sort((a, b) => last(a) - last(b)).map((name) => model(kind, name, { model: name }, 'installed'));
}

async function smallModels({ config, signal }, kind) {
  const { worker, small } = KINDS[kind];
  const { folder, models } = await makeSmallModels(config, worker, signal);
  const entries = Array.isArray(models) ? models : models[kind];
  return entries.map(({ name, load }) => model(kind, name, small(load, folder), 'small'));
}

/**
 * The first `count` models of a kind: installed ones, then small ones.
 *
 * @param {{config: object, signal: AbortSignal}} context
 * @param {object} pool asks the worker what is installed
 */
async function chooseModels(context, pool, kind, count) {
  const found = context.config.small ? [] : (await installedModels(pool, kind)).slice(0, count);
  if (found.length === count) return found;
  const made = await smallModels(context, kind);
  return [...found, ...made].slice(0, count);
}

/**
 * The models of a kind given by `--model KIND=MODEL`, or else `count` default ones.
 *
 * @param {string[]} kinds those that the program runs; another one in a flag is an error
 */
async function chooseNamed(context, pool, kind, count, kinds) {
  const { model: models = [], config: configs = [] } = context.values;
  const [names, files] = [models, configs].map((words) => valuesOf(words, kind, kinds));
  if (files.length > names.length) {
    throw new SetupError(`--config ${kind}=… needs --model ${kind}=FILE.`);
  }
  if (names.length === 0) return chooseModels(context, pool, kind, count);
  return names.map((text, i) => namedModel(kind, text, files[i]));
}

/** `['b']` of `['vr=a', 'apollo=b']` for `apollo`. */
function valuesOf(words, kind, kinds) {
  const pairs = words.map((word) => [word.slice(0, Math.max(word.indexOf('='), 0)), word.slice(word.indexOf('=') + 1)]);
  const wrong = pairs.findIndex(([name]) => !kinds.includes(name));
  if (wrong >= 0) {
    const starts = [...new Set(kinds)].map((name) => `${name}=`);
    throw new SetupError(`\`${words[wrong]}\` must begin with one of: ${starts.join(', ')}.`);
  }
  return pairs.filter(([name]) => name === kind).map(([, value]) => value);
}

/** A line for each model and its source. */
function describeModels(models) {
  const lines = models.map(({ kind, name, source }) => `  ${kind.padEnd(10)}  ${name} (${SOURCES[source]})`);
  return ['Models:', ...new Set(lines)].join('\n');
}

/** A model in the report. */
function modelRecord({ kind, worker, name, source }) {
  return { kind, worker, name, source };
}

/** The source of a model's weights for a table; unknown for a file. */
function weightsOf({ source }) {
  return { installed: 'real', small: 'small, random' }[source] ?? 'as named';
}

/** The request that loads a model and makes it the active one. */
function loadRequest({ kind, fields }) {
  return { ...fields, cmd: kind === 'apollo' ? 'load_apollo' : 'load_model' };
}

/** The request that runs a model over a file. Samples are floats, so that NaN and infinity show. */
function jobRequest({ kind, fields }, { input, outputDir, text }) {
  const asked = kind === 'audiosep' ? { text } : {};
  const cmd = kind === 'apollo' ? 'apollo' : 'separate';
  return { ...fields, ...asked, cmd, input, output_dir: outputDir, subtype: 'FLOAT' };
}

module.exports = {
  KINDS,
  chooseModels,
  chooseNamed,
  describeModels,
  installedModels,
  jobRequest,
  kindsOf,
  loadRequest,
  modelRecord,
  namedModel,
  smallModels,
  weightsOf,
};
