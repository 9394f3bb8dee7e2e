'use strict';
// Shared by the Node test programs: the places of workers, models, test audio and outputs, and the flags for them.
// A flag takes precedence over its variable, and that over the defaults.

const fs = require('node:fs');
const path = require('node:path');
const { WORKERS } = require('../clients/node/lib/protocol');
const { SetupError } = require('./node_programs/arguments');
const { runTool } = require('./node_programs/tools');

const ROOT = path.resolve(__dirname, '..');
const WINDOWS = process.platform === 'win32';
const FROZEN = path.join(ROOT, 'dist', 'dsu');
const OUTPUT = path.join(__dirname, 'node_output');
const TEST_AUDIO = path.join(__dirname, 'audio', 'test_4s.wav');

const SHARED_OPTIONS = [
  {
    flag: '--input',
    value: 'FILE',
    help: 'Audio file; default $DSU_TEST_INPUT, then tests/audio/test_4s.wav, which is made if missing.',
  },
  { flag: '--output-dir', value: 'DIR', help: 'Folder for results and report; default tests/node_output/PROGRAM.' },
  { flag: '--report', value: 'FILE', help: 'Path of the JSON report; default: in the output directory.' },
  {
    flag: '--exe-dir',
    value: 'DIR',
    help:
      'Folder of the executables; default $DSU_EXE_DIR, then dist/dsu if it exists, then the workers of this ' +
      'checkout with Python.',
  },
  {
    flag: '--python',
    value: 'FILE',
    help:
      'Python for this checkout; default: that of .venv. Without --exe-dir, it also runs the workers, even if ' +
      'dist/dsu exists.',
  },
  {
    flag: '--models',
    value: 'DIR',
    help:
      'Models directory; default $DSU_MODELS, then that of the worker (docs/models.md).',
  },
  {
    flag: '--small',
    help:
      'Use small models with random weights even if real ones are installed. Their times say nothing about real ' +
      'models.',
  },
  { flag: '--small-dir', value: 'DIR', help: 'Folder for small models; default tests/node_output/small_models.' },
  { flag: '--device', value: 'NAME', help: 'auto, cpu, cuda, cuda:N or mps; default $DSU_DEVICE, then auto.' },
  { flag: '--threads', value: 'N', number: true, help: 'CPU threads per worker; default: the physical cores.' },
  { flag: '--help', help: 'Show this help.' },
];

/**
 * @param {string} program its name, without `.js`
 * @param {object} values of the flags
 * @param {string} reportName
 * @param {object} environ
 */
function readConfig(program, values, reportName, environ = process.env) {
  const outputDir = path.resolve(values.outputDir ?? path.join(OUTPUT, program));
  return {
    program,
    python: pythonOf(values),
    exeDir: executablesFolder(values, environ),
    modelsDir: values.models ?? environ.DSU_MODELS,
    device: values.device ?? environ.DSU_DEVICE,
    threads: values.threads,
    small: values.small ?? false,
    input: values.input ?? environ.DSU_TEST_INPUT,
    outputDir,
    report: path.resolve(values.report ?? path.join(outputDir, reportName)),
    smallDir: path.resolve(values.smallDir ?? path.join(OUTPUT, 'small_models')),
  };
}

/** A file, or a word that is looked up in PATH. */
function pythonOf({ python }) {
  if (!python) return path.join(ROOT, '.venv', ...(WINDOWS ? ['Scripts', 'python.exe'] : ['bin', 'python']));
  return path.basename(python) === python ? python : path.resolve(python);
}

/** The folder of frozen programs, or null for the workers of this checkout, as with an empty variable. */
function executablesFolder(values, environ) {
  const named = values.exeDir ?? (values.python ? undefined : environ.DSU_EXE_DIR);
  if (named !== undefined) return named === '' ? null : path.resolve(named);
  return !values.python && isFile(path.join(FROZEN, executable('demucs'))) ? FROZEN : null;
}

function executable(kind) {
  return WORKERS[kind].name + (WINDOWS ? '.exe' : '');
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** The command that starts a worker. */
function workerCommand(config, kind) {
  if (config.exeDir) {
    const program = path.join(config.exeDir, executable(kind));
    if (isFile(program)) return [program];
    const advice = 'Build it with `python3 run.py build`, or give its folder with --exe-dir.';
    throw new SetupError(`${WORKERS[kind].name} is not in ${config.exeDir}. ${advice}`);
  }
  requirePython(config, `${WORKERS[kind].name} is not built and there is no Python to run it`);
  return [config.python, path.join(ROOT, ...WORKERS[kind].script.split('/'))];
}

function requirePython(config, what) {
  if (path.basename(config.python) === config.python || isFile(config.python)) return;
  const advice = 'Run `python3 run.py demo` once to create it, or choose one with --python.';
  throw new SetupError(`${what}: ${config.python} does not exist. ${advice}`);
}

/** The input file. The default one is made if missing. */
async function findInput(config, signal) {
  if (config.input) {
    if (isFile(config.input)) return path.resolve(config.input);
    throw new SetupError(`There is no audio file ${config.input}. Choose another one with --input.`);
  }
  if (!isFile(TEST_AUDIO)) {
    requirePython(config, `${TEST_AUDIO} is missing and cannot be made`);
    await runTool([config.python, path.join(__dirname, 'generate_test_audio.py')], { cwd: ROOT, signal });
  }
  if (!isFile(TEST_AUDIO)) throw new SetupError(`${TEST_AUDIO} could not be made. Choose an audio file with --input.`);
  return TEST_AUDIO;
}

/** Small models with random weights for a worker, as listed by tools/fixtures/models.py; made if missing. */
async function makeSmallModels(config, worker, signal) {
  requirePython(config, 'Small models cannot be made');
  const words = ['-m', 'tools.fixtures.models', config.smallDir, '--worker', worker];
  const { stdout } = await runTool([config.python, ...words], { cwd: ROOT, signal });
  const { folder, models } = JSON.parse(stdout);
  return { folder, models: models[worker] };
}

module.exports = { ROOT, SHARED_OPTIONS, findInput, isFile, makeSmallModels, readConfig, workerCommand };
