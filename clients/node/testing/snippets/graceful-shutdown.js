// The worker system's example of a clean end. `send`, which it leaves to the reader, and the last lines are added.
const { spawn } = require('child_process');

class DSUWorker {
  constructor(exePath) {
    this.proc = spawn(exePath, ['--worker'], {
      stdio: ['pipe', 'pipe', 'pipe']
    });
    
    // Track if we've sent exit command
    this.exiting = false;
    
    // Handle process events
    this.proc.on('exit', (code) => {
      console.log(`Worker exited with code ${code}`);
    });
  }

  send(cmd) {
    this.proc.stdin.write(JSON.stringify(cmd) + '\n');
  }

  // Always send exit command before killing
  async shutdown() {
    if (this.exiting) return;
    this.exiting = true;
    
    try {
      // Send graceful exit command
      this.send({ cmd: 'exit' });
      
      // Wait for clean exit (with timeout)
      await this.waitForExit(5000);
    } catch (e) {
      // Force kill if graceful shutdown fails
      this.proc.kill('SIGTERM');
    }
  }

  // Helper to wait for process exit
  waitForExit(timeout) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('Timeout')), timeout);
      this.proc.on('exit', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

// App-level cleanup
class WorkerPool {
  constructor() {
    this.workers = [];
    
    // CRITICAL: Handle app exit to prevent zombies
    process.on('exit', () => this.shutdownAll());
    process.on('SIGINT', () => { this.shutdownAll(); process.exit(0); });
    process.on('SIGTERM', () => { this.shutdownAll(); process.exit(0); });
    process.on('uncaughtException', (e) => {
      console.error(e);
      this.shutdownAll();
      process.exit(1);
    });
  }

  async shutdownAll() {
    await Promise.all(this.workers.map(w => w.shutdown()));
  }
}

const pool = new WorkerPool();
const worker = new DSUWorker(process.env.EXE);
pool.workers.push(worker);
console.log(worker.proc.pid);
worker.proc.stdout.on('data', (data) => {
  if (!data.toString().includes('"ready"')) return;
  if (process.env.THEN === 'shutdown') pool.shutdownAll();
  if (process.env.THEN === 'throw') throw new Error('nobody catches this');
  console.log('ready');
});
