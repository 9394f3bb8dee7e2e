'use strict';
// The messages of the patch: what each is called, how it is written, what it does. README and patch are held to this.

/** `run(bridge, atoms)` carries a message out; what it throws becomes an `error`. */
const MESSAGES = [
  { name: 'start', usage: 'start [WORKER]', help: 'start the worker now', run: (bridge, atoms) => bridge.start(atoms) },
  { name: 'stop', usage: 'stop', help: 'cancel all jobs and end all workers', run: (bridge) => bridge.stop() },
  {
    name: 'worker',
    usage: 'worker NAME',
    help: 'which worker the next messages are for: demucs, bsroformer, audio-separator or audiosep',
    run: (bridge, atoms) => bridge.choose(atoms),
  },
  {
    name: 'executables',
    usage: 'executables DIR',
    help: 'the folder of the DSU programs, or of a checkout',
    run: (bridge, atoms) => bridge.configureFolder('dir', atoms),
  },
  {
    name: 'models_dir',
    usage: 'models_dir DIR',
    help: 'the folder of the models',
    run: (bridge, atoms) => bridge.configureFolder('modelsDir', atoms),
  },
  {
    name: 'device',
    usage: 'device NAME',
    help: 'where workers run: auto, cpu, mps, cuda or cuda:N',
    run: (bridge, atoms) => bridge.configureDevice(atoms),
  },
  {
    name: 'output',
    usage: 'output DIR',
    help: 'where stems go; without DIR, to the folder `stems` beside each song',
    run: (bridge, atoms) => bridge.setOutput(atoms),
  },
  { name: 'load', usage: 'load MODEL', help: 'load a model and keep it', run: (bridge, atoms) => bridge.load(atoms) },
  { name: 'unload', usage: 'unload', help: 'drop the loaded models', run: (bridge) => bridge.unload() },
  {
    name: 'separate',
    usage: 'separate PATH [MODEL] [OUTPUT_DIR]',
    help: 'separate a song, or all of a folder',
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
    help: 'a song through several models; a step is WORKER, vr, mdx or apollo, then :MODEL:STEM if you like',
    run: (bridge, atoms) => bridge.sequence(atoms),
  },
  {
    name: 'option',
    usage: 'option KEY VALUE',
    help: 'a field of the jobs to come; without VALUE it is forgotten, `option clear` forgets all',
    run: (bridge, atoms) => bridge.setOption(atoms),
  },
  {
    name: 'text',
    usage: 'text WORDS',
    help: 'what dsu-audiosep is to separate',
    run: (bridge, atoms) => bridge.setText(atoms),
  },
  { name: 'models', usage: 'models', help: 'list the models of the worker', run: (bridge) => bridge.listModels() },
  {
    name: 'download',
    usage: 'download MODEL',
    help: 'fetch a model',
    run: (bridge, atoms) => bridge.download(atoms),
  },
  { name: 'status', usage: 'status', help: 'settings, workers and jobs', run: (bridge) => bridge.status() },
  {
    name: 'cancel',
    usage: 'cancel [ID]',
    help: 'cancel the job with this number, or the one that runs',
    run: (bridge, atoms) => bridge.cancel(atoms),
  },
  { name: 'cancel_all', usage: 'cancel_all', help: 'cancel all jobs', run: (bridge) => bridge.cancelAll() },
  { name: 'help', usage: 'help', help: 'list the messages in the Max console', run: (bridge) => bridge.help() },
];

module.exports = { MESSAGES };
