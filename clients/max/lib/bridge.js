'use strict';
// Messages in, messages out: turns the messages of a patch into jobs of workers, and reports their results.

const fs = require('node:fs');
const path = require('node:path');
const { refusal, takePath, textOf, toMax, toNative } = require('./atoms');
const { Jobs } = require('./jobs');
const { MESSAGES } = require('./messages');
const { Options, withModel } = require('./options');
const reports = require('./reports');
const { STEPS, parseSequence } = require('./sequence');
const { Workers } = require('./workers');

/** The dictionary with the last result. */
const RESULT = 'dsu_result';
/** Its default model comes with DSU, so that a new patch works without a download. */
const FIRST_WORKER = 'bsroformer';
/** It has no `separate`, and there is no message for what it has. */
const WITHOUT_MESSAGES = 'denoise';
/** Options that choose the network, like `model`. */
const INSTEAD_OF_MODEL = ['model', 'model_path', 'ensemble', 'checkpoint_path'];

function isFolder(file) {
  return fs.statSync(file).isDirectory();
}

class Bridge {
  #max;
  #workers;
  #jobs;
  #options = new Options();
  #kinds;
  #kind = FIRST_WORKER;
  /** The model loaded last, by worker. */
  #models = new Map();
  #output = null;

  constructor(max, { WorkerPool, WORKERS }, poolOptions) {
    this.#max = max;
    this.#kinds = Object.keys(WORKERS).filter((kind) => kind !== WITHOUT_MESSAGES);
    const say = (...atoms) => this.say(...atoms);
    this.#workers = new Workers(WorkerPool, poolOptions, say);
    this.#jobs = new Jobs(say);
  }

  /** Send a message to the patch. */
  say(...atoms) {
    // If Max no longer listens, there is nobody to report that to.
    Promise.resolve(this.#max.outlet(...atoms)).catch(() => {});
  }

  async receive({ run }, atoms) {
    try {
      await run(this, atoms);
    } catch (error) {
      // A worker that `stop` or a setting has ended while it started is told as `state stopped`.
      if (error.code !== 'worker_closed') this.say(...reports.errorMessage(error));
    }
  }

  // Workers and settings --------------------------------------------------------------------------------------------

  choose(atoms) {
    const name = textOf(atoms).replace(/^dsu-/, '');
    if (!this.#kinds.includes(name)) {
      throw refusal(`There is no worker \`${name}\`. The workers are: ${this.#kinds.join(', ')}.`);
    }
    this.#kind = name;
    this.say('state', 'worker', name);
  }

  async start(atoms) {
    if (atoms.length > 0) this.choose(atoms);
    await this.#workers.start(this.#kind);
  }

  async stop() {
    this.#jobs.cancelAll();
    await this.#workers.stop();
    this.say('state', 'off');
  }

  configureFolder(setting, atoms) {
    const text = textOf(atoms);
    const folder = text === '' ? undefined : toNative(text);
    if (folder !== undefined && !fs.existsSync(folder)) {
      throw refusal(`There is no folder ${folder}. Give the full path, in quotes if it contains spaces.`);
    }
    this.#configure({ [setting]: folder });
  }

  configureDevice(atoms) {
    this.#configure({ device: textOf(atoms) || undefined });
  }

  #configure(change) {
    if (this.#jobs.count > 0) {
      throw refusal('A job is still running. Wait for it or send `stop`, then send this message again.');
    }
    this.#workers.configure(change);
  }

  setOutput(atoms) {
    const text = textOf(atoms);
    this.#output = text === '' ? null : toNative(text);
  }

  setOption([key, ...atoms]) {
    if (key === undefined) throw refusal('Write `option KEY VALUE`, or `option clear`.');
    if (key === 'clear' && atoms.length === 0) this.#options.clear();
    else this.#options.set(String(key), atoms);
  }

  setText(atoms) {
    const text = textOf(atoms);
    this.#options.set('audiosep.text', text === '' ? [] : [text]);
  }

  // Models ----------------------------------------------------------------------------------------------------------

  load(atoms) {
    const kind = this.#kind;
    const model = textOf(atoms) || undefined;
    const request = { cmd: 'load_model', ...withModel(this.#options.modelFieldsFor(kind), model) };
    return this.#request(kind, request, model ?? 'model', (reply, id) => {
      this.#models.set(kind, model);
      this.say('loaded', reply.model ?? model, ...(reply.stems ?? []));
      for (const message of reports.warningMessages(reply, id)) this.say(...message);
    });
  }

  download(atoms) {
    const model = textOf(atoms);
    if (model === '') throw refusal('Write `download MODEL`; `models` lists them.');
    return this.#request(this.#kind, { cmd: 'download_model', model }, model, (reply) => {
      this.say('downloaded', reply.model, toMax(reply.path));
    });
  }

  async unload() {
    if (!this.#workers.running().includes(this.#kind)) {
      this.say('unloaded', 0);
      return;
    }
    const reply = await this.#workers.run(this.#kind, { cmd: 'clear_cache' });
    this.say('unloaded', reply.models_cleared);
  }

  async listModels() {
    const { models } = await this.#workers.run(this.#kind, { cmd: 'list_models' });
    this.say('models', ...models);
  }

  // Songs -----------------------------------------------------------------------------------------------------------

  separate(atoms) {
    const kind = this.#kind;
    return this.#song(kind, { cmd: 'separate', ...this.#fieldsFor(kind, kind) }, atoms);
  }

  restore(atoms) {
    const { worker, cmd } = STEPS.apollo;
    return this.#song(worker, { cmd, ...this.#fieldsFor('apollo') }, atoms);
  }

  sequence([first, ...atoms]) {
    const { file, rest } = takePath(atoms);
    const steps = parseSequence(String(first)).map(({ name, model, ...step }) => {
      const fields = this.#fieldsFor(name, step.cmd ? undefined : step.worker);
      return { ...withModel(fields, model), ...step };
    });
    const output = this.#outputFor(file, rest);
    return this.#jobs.run(path.basename(file), async ({ id, signal, begun }) => {
      const onProgress = this.#progress(id, begun);
      const { results } = await this.#workers.pipeline(steps, { input: file, output, signal, onProgress });
      for (const reply of results) this.#reportStems(reply, id);
      await this.#finish(results, { id, input: file, output });
    });
  }

  /** Run a job for `PATH [MODEL] [OUTPUT_DIR]`. */
  #song(kind, fields, atoms) {
    const { file, rest } = takePath(atoms);
    const [model, ...folder] = rest.map(String);
    const output = this.#outputFor(file, folder);
    const input = isFolder(file) ? { inputs: [file] } : { input: file };
    const request = { ...withModel(fields, model), ...input, output_dir: output };
    return this.#request(kind, request, path.basename(file), async (reply, id) => {
      this.#reportStems(reply, id);
      await this.#finish([reply], { id, input: file, output });
    });
  }

  /** The options for a worker or step, plus the model that was loaded into `kind` if they choose none. */
  #fieldsFor(name, kind) {
    const fields = this.#options.fieldsFor(name);
    return INSTEAD_OF_MODEL.some((field) => field in fields) ? fields : { ...fields, model: this.#models.get(kind) };
  }

  #outputFor(file, atoms) {
    const text = textOf(atoms);
    return text === '' ? (this.#output ?? path.join(path.dirname(file), 'stems')) : toNative(text);
  }

  #reportStems(reply, id) {
    const messages = [...reports.warningMessages(reply, id), ...reports.stemMessages(reply, id)];
    for (const message of messages) this.say(...message);
  }

  async #finish(replies, of) {
    try {
      await this.#max.setDict(RESULT, reports.resultDictionary(replies, of));
    } catch (error) {
      this.say('log', 'max', `The dictionary ${RESULT} could not be set: ${error.message ?? error}`);
    }
    this.say(...reports.doneMessage(replies, of));
  }

  /** Run one request as a job; `end` reports its reply. */
  #request(kind, request, what, end) {
    return this.#jobs.run(what, async ({ id, signal, begun }) => {
      const onLine = (line) => {
        begun();
        if (line.status === 'file_done') this.#reportFile(line, id);
      };
      const reply = await this.#workers.run(kind, request, { signal, onLine, onProgress: this.#progress(id, begun) });
      await end(reply, id);
    });
  }

  /** Report the result of one of many files. */
  #reportFile(line, id) {
    if (line.ok) this.#reportStems(line, id);
    else this.say(...reports.errorMessage(line.error ?? {}, id));
  }

  #progress(id, begun) {
    return (line) => {
      begun();
      this.say(...reports.progressMessage(line, id));
    };
  }

  // Jobs ------------------------------------------------------------------------------------------------------------

  cancel([id]) {
    if (this.#jobs.cancel(id === undefined ? undefined : Number(id))) return;
    this.say('warning', id === undefined ? 'There is no job to cancel.' : `There is no job ${id} to cancel.`);
  }

  cancelAll() {
    this.#jobs.cancelAll();
  }

  async status() {
    const { dir, modelsDir, device } = this.#workers.settings;
    this.say('status', 'worker', this.#kind);
    this.say('status', 'executables', dir === undefined ? 'default' : toMax(dir));
    this.say('status', 'models_dir', modelsDir === undefined ? 'default' : toMax(modelsDir));
    this.say('status', 'device', device ?? 'auto');
    this.say('status', 'jobs', this.#jobs.count);
    for (const kind of this.#workers.running()) {
      const { busy, model_loaded: model, device: used } = await this.#workers.run(kind, { cmd: 'get_status' });
      this.say('status', kind, busy ? 'busy' : 'ready', model ?? 'none', used ?? 'unknown');
    }
  }

  help() {
    for (const { usage, help } of MESSAGES) this.#max.post(`${usage}: ${help}`);
  }

  unknown(atoms) {
    this.say(...reports.errorMessage(refusal(`There is no message \`${textOf(atoms)}\`. Send \`help\` for a list.`)));
  }
}

/**
 * Listen to a patch.
 *
 * @param {object} max the module `max-api`: `addHandlers`, `outlet`, `post`, `setDict`, `MESSAGE_TYPES`
 * @param {{WorkerPool: Function, WORKERS: object}} client the exports of dsu-client and dsu-client/protocol
 * @param {object} poolOptions options of WorkerPool
 * @returns {{close: () => Promise<void>}} `close` cancels all jobs and settles when all workers have ended
 */
function connect(max, client, poolOptions = {}) {
  const bridge = new Bridge(max, client, poolOptions);
  const handlers = MESSAGES.map((message) => [message.name, (...atoms) => bridge.receive(message, atoms)]);
  max.addHandlers({
    ...Object.fromEntries(handlers),
    [max.MESSAGE_TYPES.ALL]: (handled, ...atoms) => {
      if (!handled) bridge.unknown(atoms);
    },
  });
  return { close: () => bridge.stop() };
}

module.exports = { RESULT, connect };
