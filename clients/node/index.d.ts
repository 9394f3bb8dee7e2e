// The types of the client. Those of the protocol itself are in protocol.d.ts, which is generated.
import type { BatchFailed, CancelRequested, ErrorReply, Line, ManyDone, Progress, Ready, WorkerCommands, WorkerErrorCode, WorkerMethods } from './protocol';

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

type OneFile = { inputs?: null };
type ManyFiles = { inputs: string[] };

/** A command that works on files: one file in `input` and many in `inputs` have different replies. */
export interface FileMethod<K extends WorkerKind, C extends string> {
  (fields: FieldsOf<K, C> & ManyFiles, options?: SendOptions): Promise<ManyDone>;
  (fields: FieldsOf<K, C> & OneFile, options?: SendOptions): Promise<Exclude<ReplyOf<K, C>, ManyDone>>;
}
/** A command without required fields. */
export type Method<K extends WorkerKind, C extends string> = (fields?: FieldsOf<K, C>, options?: SendOptions) => Promise<ReplyOf<K, C>>;
/** A command with required fields. */
export type MethodWithFields<K extends WorkerKind, C extends string> = (fields: FieldsOf<K, C>, options?: SendOptions) => Promise<ReplyOf<K, C>>;

/** The part of an AbortSignal that is used. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface SendOptions {
  /** Cancels the job; the promise settles when the job has ended. */
  signal?: AbortSignalLike;
  /** Called with each line that answers this request, including the last one. */
  onLine?: (line: Line) => void;
  /** Called with each `progress` and `downloading` line of this request. */
  onProgress?: (line: Progress) => void;
}

// Errors -------------------------------------------------------------------------------------------------------------

export type ClientErrorCode =
  | 'cancelled'
  | 'request_too_long'
  | 'spawn_failed'
  | 'start_timeout'
  | 'step_invalid'
  | 'worker_closed'
  | 'worker_died'
  | 'worker_not_found'
  | 'worker_silent';
export const CLIENT_CODES: readonly ClientErrorCode[];

/** An error from a worker or from this client. */
export class DSUError extends Error {
  readonly code: WorkerErrorCode | ClientErrorCode;
  /** The line that reported it. */
  readonly reply: ErrorReply | Line | null;
  readonly hint?: string;
  readonly suggestions?: string[];
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

export interface LocateOptions {
  /** The program and its first arguments, used as they are. */
  command?: string[];
  /** A folder of DSU executables, or a checkout; by default DSU_DIR, then the checkout that contains this package. */
  dir?: string;
  /** The Python that runs the workers of a checkout; by default that of its `.venv`. */
  python?: string;
}

export interface WorkerOptions extends LocateOptions {
  device?: 'auto' | 'cuda' | 'mps' | 'cpu' | (string & {});
  modelsDir?: string;
  threads?: number;
  maxCachedModels?: number;
  offline?: boolean;
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

export interface WorkerEvents {
  loading: [line: Line];
  ready: [line: Ready];
  line: [line: Line];
  progress: [line: Progress];
  /** Output that is not a line of the protocol. */
  junk: [text: string];
  stderr: [text: string];
  /** The worker has died and is being started again. */
  restart: [error: DSUError];
  exit: [how: { code: number | null; signal: string | null; expected: boolean }];
}

export interface ShutdownOptions {
  /** Finish the jobs first; otherwise they are cancelled. */
  drain?: boolean;
}

/** Its methods for the commands are in `WorkerMethods`. */
export interface DSUWorker<K extends WorkerKind = WorkerKind> extends WorkerMethods<K> {}
export class DSUWorker<K extends WorkerKind = WorkerKind> {
  /** @param name a kind, the name of an executable, or the path of one */
  constructor(name: K, options?: WorkerOptions);
  constructor(name: string, options?: WorkerOptions);

  readonly kind: K | null;
  readonly command: string[];
  readonly pid: number | undefined;
  readonly readyLine: Ready | null;
  readonly busy: boolean;
  readonly closed: boolean;

  start(): Promise<Ready>;
  send<C extends CommandName<K>>(request: { cmd: C } & RequestOf<K, C>, options?: SendOptions): Promise<ReplyOf<K, C>>;
  stream(request: RequestOf<K>, options?: { signal?: AbortSignalLike }): AsyncGenerator<Line, void, void>;
  cancel(id?: string | number): Promise<CancelRequested>;
  shutdown(options?: ShutdownOptions): Promise<void>;
  kill(signal?: string): void;

  on<E extends keyof WorkerEvents>(event: E, listener: (...args: WorkerEvents[E]) => void): this;
  once<E extends keyof WorkerEvents>(event: E, listener: (...args: WorkerEvents[E]) => void): this;
  off<E extends keyof WorkerEvents>(event: E, listener: (...args: WorkerEvents[E]) => void): this;
}

/** Start a worker and wait until it is ready. */
export function startWorker<K extends WorkerKind>(name: K, options?: WorkerOptions): Promise<DSUWorker<K>>;
export function startWorker(name: string, options?: WorkerOptions): Promise<DSUWorker>;

/** The command that starts a worker. */
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
  input: string;
  /** The output directory of steps without one of their own. */
  output?: string;
  signal?: AbortSignalLike;
  onProgress?: (line: Progress & { step: number; steps: number; total_percent: number }) => void;
}

export interface PipelineResult {
  results: StepResult[];
  /** The stems of the last step. */
  paths: Record<string, string>;
  /** The result of the last step, if that is one file. */
  path: string | null;
}

export class WorkerPool {
  constructor(options?: PoolOptions);

  worker<K extends WorkerKind>(kind: K): DSUWorker<K>;
  startWorker<K extends WorkerKind>(kind: K): Promise<DSUWorker<K>>;
  run<K extends WorkerKind, C extends CommandName<K>>(
    kind: K,
    request: { cmd: C } & RequestOf<K, C>,
    options?: SendOptions,
  ): Promise<ReplyOf<K, C>>;
  separate<K extends WorkerKind>(kind: K, fields: FieldsOf<K, 'separate'> & ManyFiles, options?: SendOptions): Promise<ManyDone>;
  separate<K extends WorkerKind>(
    kind: K,
    fields: FieldsOf<K, 'separate'> & OneFile,
    options?: SendOptions,
  ): Promise<Exclude<ReplyOf<K, 'separate'>, ManyDone>>;
  pipeline(
    steps: ReadonlyArray<Step | ((input: string, results: StepResult[]) => Step)>,
    options: PipelineOptions,
  ): Promise<PipelineResult>;
  stats(): { [kind: string]: { pid: number | null; busy: boolean; queued: number } };
  shutdown(options?: ShutdownOptions): Promise<void>;
}

export const PROTOCOL_VERSION: number;
