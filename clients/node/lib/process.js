'use strict';
// One operating system process: lines out, text in, and its end. Knows nothing about requests.

const { spawn } = require('node:child_process');
const { forget, remember } = require('./cleanup');
const { LineReader, parseLine } = require('./lines');

// A child of an ended process may keep its output open, but whatever is in the pipe arrives at once.
const LAST_LINES_MS = 1000;
const STDERR_KEPT = 8192;

/** @returns {Promise<boolean>} whether `promise` settled within `ms` */
function settled(promise, ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

class WorkerProcess {
  #child;
  #finish;
  #finished = false;

  /**
   * @param {string[]} command
   * @param {{cwd?: string, env: object, maxLineBytes: number}} options
   * @param {{line(value: object): void, junk(text: string): void, stderr(text: string): void,
   *   exit(how: {code: number | null, signal: string | null, error?: Error}): void}} listener
   */
  constructor([program, ...args], { cwd, env, maxLineBytes }, listener) {
    this.listener = listener;
    this.stderr = '';
    /** Settles when the process has ended, after its last line. */
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    this.#watch(maxLineBytes);
    if (this.#child.pid !== undefined) remember(this);
  }

  get pid() {
    return this.#child.pid;
  }

  /** Streams are missing if the system has run out of file descriptors. */
  get #streams() {
    return [this.#child.stdin, this.#child.stdout, this.#child.stderr].filter(Boolean);
  }

  /** Write text to its input. If the process is gone, its end is reported anyway. */
  write(text) {
    if (this.#child.stdin?.writable) this.#child.stdin.write(text);
  }

  kill(signal) {
    this.#child.kill(signal);
  }

  /** Whether the process keeps this program running. */
  hold(wanted) {
    const method = wanted ? 'ref' : 'unref';
    this.#child[method]();
    for (const stream of this.#streams) stream[method]?.();
  }

  /**
   * Ask it to end, then SIGTERM, then SIGKILL.
   *
   * @param {string} farewell the line that asks it to end; empty if it no longer responds
   */
  async stop(farewell, { exitMs, termMs }) {
    this.hold(true);
    if (farewell) {
      this.write(farewell);
      this.#child.stdin?.end();
      if (await settled(this.ended, exitMs)) return;
    }
    this.kill('SIGTERM');
    if (await settled(this.ended, termMs)) return;
    this.kill('SIGKILL');
    await this.ended;
  }

  #watch(maxBytes) {
    const child = this.#child;
    const lines = new LineReader((text) => this.#take(text), {
      maxBytes,
      onTooLong: (start) => this.listener.junk(`${start} … (a line of more than ${maxBytes} bytes)`),
    });
    child.stdout?.on('data', (chunk) => lines.push(chunk)).on('end', () => lines.end());
    child.stderr?.setEncoding('utf8').on('data', (text) => this.#complain(text));
    // Writing to a process that has just ended fails; its exit is reported instead.
    for (const stream of this.#streams) stream.on('error', () => {});
    child.on('error', (error) => {
      if (child.pid === undefined) this.#end({ code: null, signal: null, error });
    });
    child.on('exit', (code, signal) => {
      setTimeout(() => this.#end({ code, signal }), LAST_LINES_MS).unref();
    });
    child.on('close', (code, signal) => this.#end({ code, signal }));
  }

  #take(text) {
    const value = parseLine(text);
    if (value) this.listener.line(value);
    else this.listener.junk(text);
  }

  #complain(text) {
    this.stderr = (this.stderr + text).slice(-STDERR_KEPT);
    this.listener.stderr(text);
  }

  #end(how) {
    if (this.#finished) return;
    this.#finished = true;
    forget(this);
    for (const stream of this.#streams) stream.destroy();
    this.#finish();
    this.listener.exit(how);
  }
}

module.exports = { WorkerProcess };
