'use strict';
// The messages of the patch: their names, arguments and effects. Tests check README and patch against this table.

/** `run(bridge, atoms)` handles a message; an exception becomes an `error` message. */
const MESSAGES = [
  { name: 'start', usage: 'start [WORKER]', help: 'start the worker now', run: (bridge, atoms) => bridge.start(atoms) },
  { name: 'stop', usage: 'stop', help: 'cancel all jobs and end all workers', run: (bridge) => bridge.stop() },
  {
    name: 'worker',
    usage: 'worker NAME',
    help: 'choose the worker for the following messages: demucs, bsroformer, audio-separator, audiosep or dsu',
    run: (bridge, atoms) => bridge.choose(atoms),
  },
  {
    name: 'executables',
    usage: 'executables DIR',
    help: 'set the folder of the DSU programs, or a checkout',
    run: (bridge, atoms) => bridge.configureFolder('dir', atoms),
  },
  {
    name: 'models_dir',
    usage: 'models_dir DIR',
    help: 'set the folder of the models',
    run: (bridge, atoms) => bridge.configureFolder('modelsDir', atoms),
  },
  {
    name: 'device',
    usage: 'device NAME',
    help: 'set the device of the workers: auto, cpu, mps, cuda or cuda:N',
    run: (bridge, atoms) => bridge.configureDevice(atoms),
  },
  {
    name: 'output',
    usage: 'output DIR',
    help: 'set the folder for stems; without DIR, the folder `stems` next to each song',
    run: (bridge, atoms) => bridge.setOutput(atoms),
  },
  { name: 'load', usage: 'load MODEL', help: 'load a model and keep it', run: (bridge, atoms) => bridge.load(atoms) },
  { name: 'unload', usage: 'unload', help: 'unload all models', run: (bridge) => bridge.unload() },
  {
    name: 'separate',
    usage: 'separate PATH [MODEL] [OUTPUT_DIR]',
    help: 'separate a song, or all songs in a folder',
    run: (bridge, atoms) => bridge.separate(atoms),
  },
  {
    name: 'restore',
    usage: 'restore PATH [MODEL] [OUTPUT_DIR]',
    help: 'restore a song with Apollo',
    run: (bridge, atoms) => bridge.restore(atoms),
  },
  {
    name: 'sequence',
    usage: 'sequence STEP>STEP PATH [OUTPUT_DIR]',
    help: 'send a song through several models; a step is WORKER, vr, mdx or apollo, optionally with :MODEL:STEM',
    run: (bridge, atoms) => bridge.sequence(atoms),
  },
  {
    name: 'option',
    usage: 'option KEY VALUE',
    help: 'set a field of the following jobs; without VALUE it is removed, `option clear` removes all',
    run: (bridge, atoms) => bridge.setOption(atoms),
  },
  {
    name: 'text',
    usage: 'text WORDS',
    help: 'describe what dsu-audiosep separates',
    run: (bridge, atoms) => bridge.setText(atoms),
  },
  { name: 'models', usage: 'models', help: 'list the models of the worker', run: (bridge) => bridge.listModels() },
  {
    name: 'download',
    usage: 'download MODEL',
    help: 'download a model',
    run: (bridge, atoms) => bridge.download(atoms),
  },
  { name: 'status', usage: 'status', help: 'report settings, workers and jobs', run: (bridge) => bridge.status() },
  {
    name: 'cancel',
    usage: 'cancel [ID]',
    help: 'cancel the job with this number, or the running one',
    run: (bridge, atoms) => bridge.cancel(atoms),
  },
  { name: 'cancel_all', usage: 'cancel_all', help: 'cancel all jobs', run: (bridge) => bridge.cancelAll() },
  { name: 'help', usage: 'help', help: 'list the messages in the Max console', run: (bridge) => bridge.help() },
];

module.exports = { MESSAGES };
