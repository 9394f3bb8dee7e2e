/// <reference lib="esnext.disposable" />
// The types of the client. Those of the protocol itself are in protocol.d.ts, which is generated.
import type { BatchFailed, CancelRequested, Done, Downloading, ErrorReply, Line, Loading, ManyDone, PipedInput, Progress, Ready, WorkerCommands, WorkerErrorCode, WorkerMethods } from './protocol';

export type * from './protocol';

/** `demucs`, `bsroformer`, `audio-separator`, `audiosep`, `denoise` or `dsu`. */
export type WorkerKind = keyof WorkerCommands;

// Commands -----------------------------------------------------------------------------------------------------------

export type CommandName<K extends WorkerKind> = K extends K ? keyof WorkerCommands[K] & string : never;
type Row<K extends WorkerKind, C extends string> = K extends K
  ? C extends keyof WorkerCommands[K]
    ? WorkerCommands[K][C]
    : never
  : never;
type Part<R, P extends 'request' | 'reply' | 'event'> = R extends Record<P, infer V> ? V : never;
type WithoutCmd<Q> = Q extends Q ? Omit<Q, 'cmd'> : never;

/** The request of a command, with `cmd`. */
export type RequestOf<K extends WorkerKind, C extends string = CommandName<K>> = Part<Row<K, C>, 'request'>;
/** The fields of a command's request, without `cmd`. */
export type FieldsOf<K extends WorkerKind, C extends string> = WithoutCmd<RequestOf<K, C>>;
/** The reply that ends a command successfully. */
export type ReplyOf<K extends WorkerKind, C extends string> = Exclude<Part<Row<K, C>, 'reply'>, BatchFailed>;
/** The events that a command sends before its reply. */
export type EventOf<K extends WorkerKind, C extends string> = Part<Row<K, C>, 'event'>;

/** The events of a command that tell how far it is. */
export type ProgressOf<K extends WorkerKind, C extends string> = Extract<EventOf<K, C>, Progress | Downloading>;

type OneFile = { input: string; inputs?: null };
type ManyFiles = { inputs: string[]; input?: null };

/** A command that works on files: one file in `input` and many in `inputs` have different replies. One of them is needed. */
export interface FileMethod<K extends WorkerKind, C extends string> {
  (fields: FieldsOf<K, C> & ManyFiles, options?: SendOptions<ProgressOf<K, C>>): Promise<ManyDone>;
  (fields: FieldsOf<K, C> & OneFile, options?: SendOptions<ProgressOf<K, C>>): Promise<Exclude<ReplyOf<K, C>, ManyDone>>;
}
/** A command without required fields. */
export type Method<K extends WorkerKind, C extends string> = (
  fields?: FieldsOf<K, C>,
  options?: SendOptions<ProgressOf<K, C>>,
) => Promise<ReplyOf<K, C>>;
/** A command with required fields. */
export type MethodWithFields<K extends WorkerKind, C extends string> = (
  fields: FieldsOf<K, C>,
  options?: SendOptions<ProgressOf<K, C>>,
) => Promise<ReplyOf<K, C>>;

/** The part of an AbortSignal that is used. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  /** Be told of the abort. */
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  /** Be told no more. */
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The fields of `separate`, without those for the song and its files, for all of which there are streams. */
export type StreamFields<K extends WorkerKind> = Omit<
  FieldsOf<K, Extract<'separate', CommandName<K>>>,
  'input' | 'inputs' | 'output' | 'output_dir' | 'stream' | 'start_at' | 'share' | 'shares' | 'channels'
>;

/** The samples of one stem, as interleaved 32-bit floats: a Readable of Node.js. */
export interface StemStream extends AsyncIterable<Uint8Array> {
  readonly destroyed: boolean;
  /** Be told of its events. */
  on(event: 'data' | 'end' | 'error' | 'close', listener: (value: any) => void): this;
  /** Write it to where the samples go. */
  pipe<T>(destination: T): T;
  /** Do without it. */
  destroy(error?: Error): this;
}

/** Stems that come while their job runs. */
export interface LiveStems {
  readonly stems: Record<string, StemStream>;
  readonly sampleRate: number;
  readonly channels: number;
  /** The number of samples that each channel of a stem will have; null where the end of the song is yet to come. */
  readonly frames: number | null;
  /** The last line of the job; rejects as `separate` does. */
  readonly done: Promise<Done>;
}

/** What every request takes besides its fields. */
export interface SendOptions<P = Progress | Downloading> {
  /** Cancels the job; the promise settles when the job has ended. */
  signal?: AbortSignalLike;
  /** Called with each line that answers this request, including the last one. */
  onLine?: (line: Line) => void;
  /**
   * Called with each `progress` and `downloading` line of this request; `status` tells them apart. Jobs download their model
   * first if it is not there, so a `separate` has both.
   */
  onProgress?(line: P): void;
}

// Errors -------------------------------------------------------------------------------------------------------------

/** The `code` of an error of the client itself. */
export type ClientErrorCode =
  | 'archive_invalid'
  | 'cancelled'
  | 'request_too_long'
  | 'runtime_unavailable'
  | 'spawn_failed'
  | 'start_timeout'
  | 'step_invalid'
  | 'worker_closed'
  | 'worker_died'
  | 'worker_not_found'
  | 'worker_silent';
/** All codes of errors of the client itself. */
export const CLIENT_CODES: readonly ClientErrorCode[];

/** An error from a worker or from this client. */
export class DSUError extends Error {
  /** What went wrong, for programs: a code of the protocol, or one of the client's own. */
  readonly code: WorkerErrorCode | ClientErrorCode;
  /** The line that reported it. */
  readonly reply: ErrorReply | Line | null;
  /** What to do, where the worker knows it. */
  readonly hint?: string;
  /** Names like the one that is unknown. */
  readonly suggestions?: string[];
  /** The field of the request that is wrong. */
  readonly field?: string;
  readonly cause?: unknown;
  /** For `worker_died`: how it ended, and the end of its standard error. */
  readonly exitCode?: number | null;
  readonly signal?: string | null;
  readonly stderr?: string;
}

/** A job was cancelled. Its name is `AbortError`. */
export class CancelledError extends DSUError {
  readonly code: 'cancelled';
}

// Workers ------------------------------------------------------------------------------------------------------------

/** Where the programs are. */
export interface LocateOptions {
  /** The program and its first arguments, used as they are. */
  command?: string[];
  /** A folder of DSU executables, or a checkout; by default DSU_DIR, then the checkout that contains this package. */
  dir?: string;
  /** The Python that runs the workers of a checkout; by default that of its `.venv`. */
  python?: string;
}

export interface WorkerOptions extends LocateOptions {
  /** What it computes on; `cuda:1` is the second card. Default `auto`: CUDA, then MPS, then the CPU. */
  device?: 'auto' | 'cuda' | 'mps' | 'cpu' | (string & {});
  /** Instead of `device`: several that work at the same time, as `['cuda:0', 'cuda:1']`, in a process each. */
  devices?: readonly string[];
  /** Where models are, and are downloaded to. */
  modelsDir?: string;
  /** CPU threads; by default the physical cores. */
  threads?: number;
  /** How many models stay loaded; 0 for none. */
  maxCachedModels?: number;
  /** Download nothing. */
  offline?: boolean;
  /** Treat unknown fields of requests as errors. */
  strict?: boolean;
  /** Further arguments of its command line. */
  args?: string[];
  /** Where relative paths start; by default the working directory of this process. */
  cwd?: string;
  /** Environment variables in addition to those of this process. */
  env?: Record<string, string | undefined>;
  /** Start it again when it dies: waiting jobs are sent again, and the running job fails. Default false. */
  restart?: boolean;
  /** How often to restart in a row without an answer in between. Default 3. */
  maxRestarts?: number;
  /** Default 120 000. */
  startTimeoutMs?: number;
  /** After this much silence a busy worker gets a `ping`, and after as much again it is killed; 0 never. Default 60 000. */
  silenceTimeoutMs?: number;
  /** A worker that has not cancelled a job by then is killed. Default 30 000. */
  cancelTimeoutMs?: number;
  /** From `exit` to SIGTERM. Default 5 000. */
  exitTimeoutMs?: number;
  /** From SIGTERM to SIGKILL. Default 3 000. */
  termTimeoutMs?: number;
  /** Longer lines are dropped. Default 64 MiB. */
  maxLineBytes?: number;
}

/** The events of a worker, with the arguments of their listeners. */
export interface WorkerEvents {
  /** The process has said its first line. */
  loading: [line: Loading];
  /** It takes requests. */
  ready: [line: Ready];
  /** Any line of the protocol. */
  line: [line: Line];
  /** A `progress` line of any request. */
  progress: [line: Progress];
  /** Output that is not a line of the protocol. */
  junk: [text: string];
  /** Output on its standard error: warnings, and why it died. */
  stderr: [text: string];
  /** The worker has died and is being started again. */
  restart: [error: DSUError];
  /** The process has ended; `expected` if it was told to. */
  exit: [how: { code: number | null; signal: string | null; expected: boolean }];
}

/** Node's EventEmitter, with the arguments that each event has. */
export interface TypedEmitter<T extends { [E in keyof T]: unknown[] }> {
  /** Call the listener each time. */
  on<E extends keyof T>(event: E, listener: (...args: T[E]) => void): this;
  /** Call the listener the next time, and then no more. */
  once<E extends keyof T>(event: E, listener: (...args: T[E]) => void): this;
  /** Call the listener no more. */
  off<E extends keyof T>(event: E, listener: (...args: T[E]) => void): this;
  /** Call all listeners; answers whether there are any. */
  emit<E extends keyof T>(event: E, ...args: T[E]): boolean;
  /** As `on`. */
  addListener<E extends keyof T>(event: E, listener: (...args: T[E]) => void): this;
  /** As `off`. */
  removeListener<E extends keyof T>(event: E, listener: (...args: T[E]) => void): this;
  /** Call no listener of this event any more, or of any. */
  removeAllListeners(event?: keyof T): this;
  /** As `on`, but before the listeners that are there. */
  prependListener<E extends keyof T>(event: E, listener: (...args: T[E]) => void): this;
  /** As `once`, but before the listeners that are there. */
  prependOnceListener<E extends keyof T>(event: E, listener: (...args: T[E]) => void): this;
  /** The listeners of an event. */
  listeners<E extends keyof T>(event: E): Array<(...args: T[E]) => void>;
  /** The same, with what `once` wraps around them. */
  rawListeners<E extends keyof T>(event: E): Array<(...args: T[E]) => void>;
  /** How many listeners an event has. */
  listenerCount(event: keyof T): number;
  /** The events that have listeners. */
  eventNames(): Array<keyof T & string>;
  /** How many listeners an event may have before Node.js warns of a leak. */
  setMaxListeners(n: number): this;
  /** The same, as it is set. */
  getMaxListeners(): number;
}

export interface ShutdownOptions {
  /** Finish the jobs first; otherwise they are cancelled. */
  drain?: boolean;
}

/** A worker's methods for the commands of the protocol, and for its events. */
export interface DSUWorker<K extends WorkerKind = WorkerKind> extends WorkerMethods<K>, TypedEmitter<WorkerEvents> {}

/**
 * A program that keeps its models loaded and does one job after another. Its process starts with `start` or with the first
 * request, and ends with `shutdown`, or at the end of a block that has it by `await using`.
 *
 * @example
 * const worker = new DSUWorker('bsroformer');
 * const { paths } = await worker.separate({ input: 'song.wav', output: 'stems' });
 * await worker.shutdown();
 */
export class DSUWorker<K extends WorkerKind = WorkerKind> implements AsyncDisposable {
  /**
   * Find the program; nothing is started yet. Throws `worker_not_found`.
   *
   * @param name a kind, the name of an executable, or the path of one
   */
  constructor(name: K, options?: WorkerOptions);
  constructor(name: string, options?: WorkerOptions);

  /** What kind of worker it is, or null for a program with another name. */
  readonly kind: K | null;
  /** The program and its arguments. */
  readonly command: string[];
  /** The id of the process while it runs. */
  readonly pid: number | undefined;
  /** The `ready` line while the worker is ready: its device, threads and version. */
  readonly readyLine: Ready | null;
  /** Whether any request is pending. */
  readonly busy: boolean;
  /** Whether it was shut down, told to exit, or has died for good. */
  readonly closed: boolean;

  /** Start the process unless it runs, and wait for `ready`. Once a worker has died, only this starts it again. */
  start(): Promise<Ready>;
  /**
   * Send a request and wait for the line that ends it. An `id` is added if there is none.
   *
   * @returns the last line; rejects with a `DSUError` for `error`, and with a `CancelledError` for `cancelled`
   */
  send<C extends CommandName<K>>(
    request: { cmd: C } & RequestOf<K, C>,
    options?: SendOptions<ProgressOf<K, C>>,
  ): Promise<ReplyOf<K, C>>;
  /** All lines that answer a request, including the last one. Leaving the loop cancels the job. */
  stream(request: RequestOf<K>, options?: { signal?: AbortSignalLike }): AsyncGenerator<Line, void, void>;
  /**
   * Separate a song while it is heard, without files. The stems are streams, which come as soon as they are known; read all of
   * them, or `destroy` those that you do not want: the slowest sets the pace. Destroying all cancels the job.
   */
  separateStream(song: string, fields?: StreamFields<K>, options?: SendOptions<ProgressOf<K, 'separate'>>): Promise<LiveStems>;
  /** The same for a song that is a stream of interleaved 32-bit floats, which is separated while it comes. */
  separateStream(
    song: AsyncIterable<Uint8Array>,
    fields: StreamFields<K> & Omit<PipedInput, 'pipe' | 'channels' | 'wait_s'> & { channels?: number },
    options?: SendOptions<ProgressOf<K, 'separate'>>,
  ): Promise<LiveStems>;
  /** Cancel the job with this id; without one, the running job or else the next one. */
  cancel(id?: string | number): Promise<CancelRequested>;
  /**
   * End the process: `exit`, then SIGTERM, then SIGKILL. Its jobs are cancelled, or finished first with `drain`.
   *
   * @returns when the process is gone
   */
  shutdown(options?: ShutdownOptions): Promise<void>;
  /** Kill the process at once. Pending requests fail. */
  kill(signal?: string): void;
  /** `shutdown`, at the end of a block with `await using worker = …`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Start a worker and wait until it is ready. */
export function startWorker<K extends WorkerKind>(name: K, options?: WorkerOptions): Promise<DSUWorker<K>>;
export function startWorker(name: string, options?: WorkerOptions): Promise<DSUWorker>;

/** The command that starts a worker. Throws `worker_not_found`, with the places that were searched. */
export function findWorker(name: string, options?: LocateOptions): string[];

// Pools --------------------------------------------------------------------------------------------------------------

export interface PoolOptions extends WorkerOptions {
  /** Options for single kinds, in addition to the common ones. */
  workers?: { [K in WorkerKind]?: WorkerOptions };
  /** End a worker after this much idle time; 0 never. Default 300 000. */
  idleTimeoutMs?: number;
  /** How often a job may be overtaken by newer jobs that use the loaded model. Default 16. */
  maxPassedOver?: number;
  /** End the workers on SIGINT, SIGTERM and SIGHUP before the process ends. Default true. */
  handleSignals?: boolean;
}

/** One step of a pipeline. Its `input` is the result of the step before. */
export type Step = {
  [K in WorkerKind]: {
    worker: K;
    /** The stem that the next step takes; not needed if there is only one. */
    take?: string;
  } & (
    | (K extends 'denoise' ? never : { cmd?: 'separate' } & Omit<FieldsOf<K, 'separate'>, 'input' | 'inputs'>)
    | (K extends 'denoise' | 'dsu' ? { cmd: 'denoise' } & Omit<FieldsOf<K, 'denoise'>, 'input' | 'inputs'> : never)
    | (K extends 'audio-separator' ? { cmd: 'apollo' } & Omit<FieldsOf<K, 'apollo'>, 'input' | 'inputs'> : never)
  );
}[WorkerKind];

/** The `done` of one file. */
export type StepResult = Exclude<ReplyOf<WorkerKind, 'separate'> | ReplyOf<'audio-separator', 'apollo'> | ReplyOf<'denoise', 'denoise'>, ManyDone>;

export interface PipelineOptions {
  /** The song that the first step takes. */
  input: string;
  /** The output directory of steps without one of their own. */
  output?: string;
  /** Cancels the whole pipeline. */
  signal?: AbortSignalLike;
  /** Called with each `progress` and `downloading` line of a step, and how far the pipeline is. */
  onProgress?(line: (Progress | Downloading) & { step: number; steps: number; total_percent: number }): void;
}

export interface PipelineResult {
  /** The results of all steps, in order. */
  results: StepResult[];
  /** The stems of the last step. */
  paths: Record<string, string>;
  /** The result of the last step, if that is one file. */
  path: string | null;
}

/** One worker of each kind, started when needed, restarted when it dies, and ended when idle. */
export class WorkerPool implements AsyncDisposable {
  /** Nothing is started yet. */
  constructor(options?: PoolOptions);

  /** The worker of a kind. It starts with its first request. */
  worker<K extends WorkerKind>(kind: K): DSUWorker<K>;
  /** The worker of a kind, once it is ready. */
  startWorker<K extends WorkerKind>(kind: K): Promise<DSUWorker<K>>;
  /** Send a request to the worker of a kind. Jobs run one at a time, or one on each of its `devices`, grouped by model. */
  run<K extends WorkerKind, C extends CommandName<K>>(
    kind: K,
    request: { cmd: C } & RequestOf<K, C>,
    options?: SendOptions<ProgressOf<K, C>>,
  ): Promise<ReplyOf<K, C>>;
  /** Separate many files (`inputs`). */
  separate<K extends WorkerKind>(
    kind: K,
    fields: FieldsOf<K, 'separate'> & ManyFiles,
    options?: SendOptions<ProgressOf<K, 'separate'>>,
  ): Promise<ManyDone>;
  /** Separate one file (`input`). */
  separate<K extends WorkerKind>(
    kind: K,
    fields: FieldsOf<K, 'separate'> & OneFile,
    options?: SendOptions<ProgressOf<K, 'separate'>>,
  ): Promise<Exclude<ReplyOf<K, 'separate'>, ManyDone>>;
  /**
   * Send a song through several models: each step takes a stem of the step before.
   *
   * @param steps or functions that are given the path of that stem and the results so far
   */
  pipeline(
    steps: ReadonlyArray<Step | ((input: string, results: StepResult[]) => Step)>,
    options: PipelineOptions,
  ): Promise<PipelineResult>;
  /** For each kind: the id of its process, whether it is busy, and how many jobs wait. */
  stats(): { [kind: string]: { pid: number | null; busy: boolean; queued: number } };
  /**
   * End all workers. Their jobs are cancelled, or finished first with `drain`.
   *
   * @returns when all processes are gone
   */
  shutdown(options?: ShutdownOptions): Promise<void>;
  /** `shutdown`, at the end of a block with `await using pool = …`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The version of the protocol that this client speaks. */
export const PROTOCOL_VERSION: number;
