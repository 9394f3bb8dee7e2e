// The worker system's ways of running many jobs, with the client as the functions that they leave to the reader.
const { startWorker } = require('../..');

async function batchProcess(files, model, getOutputDir, options) {
  const worker = await startWorker('dsu-bsroformer.exe', options);
  
  for (const file of files) {
    // Model loads on first file, cached for rest
    await worker.send({
      cmd: 'separate',
      input: file,
      output: getOutputDir(file),
      model: model
    });
  }
  
  // Keep worker alive for future batches
  return worker;
}

class WorkerPool {
  constructor(options) {
    this.workers = {};
    this.startWorker = (exe) => startWorker(exe, options);
  }

  async initialize() {
    // Start all workers in parallel
    const [bsroformer, demucs, audioSep] = await Promise.all([
      this.startWorker('dsu-bsroformer.exe'),
      this.startWorker('dsu-demucs.exe'),
      this.startWorker('dsu-audio-separator.exe')
    ]);
    
    this.workers = { bsroformer, demucs, audioSep };
  }

  async runWorkflow(requests) {
    const bsResult = await this.workers.bsroformer.send(requests[0]);
    const demucsResult = await this.workers.demucs.send(requests[1]);
    const apolloResult = await this.workers.audioSep.send(requests[2]);
    return { bsResult, demucsResult, apolloResult };
  }
}

async function processBatchOptimized(jobs, worker) {
  // Group jobs by model
  const grouped = {};
  for (const job of jobs) {
    const key = job.model;
    if (!grouped[key]) grouped[key] = [];
    grouped[key].push(job);
  }
  
  // Process each group (minimizes model switches)
  const results = [];
  for (const [model, modelJobs] of Object.entries(grouped)) {
    for (const job of modelJobs) {
      const result = await worker.send({
        cmd: 'separate',
        model: model,
        input: job.input,
        output: job.output
      });
      results.push({ job, result });
    }
  }
  
  return results;
}

module.exports = { WorkerPool, batchProcess, processBatchOptimized };
