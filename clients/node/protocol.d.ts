// Written by `python -m clients.node.generate_types` from the types in utils/core. Do not edit.
import type { FileMethod, Method, MethodWithFields, WorkerKind } from './index';

/** The first line, before anything heavy is imported. */
export interface Loading {
  status: "loading";
  id?: string | number;
  warnings?: Array<string>;
  message: string;
  worker: string;
  version: string;
  pid: number;
}

/** The worker is ready for commands. */
export interface Ready {
  status: "ready";
  id?: string | number;
  /** Other devices that cannot be used, and what to do about it. */
  warnings?: Array<string>;
  /** `cpu`, `cuda`, `cuda:N`, `xpu`, `xpu:N` or `mps`; of several devices the first. */
  device: string;
  /** With the setting `devices`: those that work. */
  devices?: Array<ReadyDevice>;
  card?: Card;
  /** What `"precision":"auto"` of a request means here. */
  precision: "bf16" | "fp16" | "fp32";
  /** The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest. */
  attention?: string;
  /** Number of CPU threads in use: the one set for the worker, or else the number of physical cores. */
  threads: number;
  cache_enabled: boolean;
  max_cached_models: number;
  models_dir: string;
  version: string;
  protocol: number;
}

/** A device that is ready. */
export interface ReadyDevice {
  device: string;
  card?: Card;
  precision: "bf16" | "fp16" | "fp32";
  threads: number;
  /** The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest. */
  attention?: string;
}

/** The graphics card that computes. */
export interface Card {
  name: string;
  memory_mb: number;
  /** NVIDIA: the compute capability, such as `8.9`. */
  capability: string | null;
  /** NVIDIA: the version of CUDA that the driver knows. */
  driver_cuda: string | null;
  /** NVIDIA: the number of the driver, such as `580.65.06`. */
  driver: string | null;
  /** NVIDIA: what `CUDA_VISIBLE_DEVICES` may call it, whatever its number. */
  uuid: string | null;
  /** The version of torch, which says what it was built for. */
  build: string;
}

/** The last line when the worker shuts down for another reason than `exit` or the end of its input. */
export interface Shutdown {
  status: "shutdown";
  id?: string | number;
  warnings?: Array<string>;
  /** `SIGTERM`, `SIGINT`, `SIGBREAK`, `SIGHUP`, `parent_died`, `output_closed` or `device_lost`. */
  detail: string;
  reason: string;
}

/** The noise reduction of a file has begun. */
export interface Denoising {
  status: "denoising";
  id?: string | number;
  warnings?: Array<string>;
  /** File name without its folder. */
  input: string;
}

/** How far the download of a model's file is. */
export interface Downloading {
  status: "downloading";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
  file: string;
  percent: number;
  received_bytes: number;
  total_bytes: number | null;
  eta: number | null;
  /** While its answer is awaited: the server that was asked. */
  connecting?: string;
}

/** One file of `inputs` has succeeded or failed. */
export interface FileDone {
  status: "file_done";
  id?: string | number;
  warnings?: Array<string>;
  input: string;
  /** Index of the file, starting at 0. */
  index: number;
  ok: boolean;
  output_dir?: string;
  files?: Array<string>;
  stems?: Array<string>;
  paths?: Record<string, string>;
  error?: Record<string, string>;
  /** With `resume`: the file was already done. */
  skipped?: boolean;
  model?: string;
  /** Seconds spent on this file in this run. */
  elapsed?: number;
}

/** A model is being loaded. */
export interface LoadingModel {
  status: "loading_model";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
}

/** A model is being loaded without becoming the active one. */
export interface PreloadingModel {
  status: "preloading_model";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
}

/** How far a job is. */
export interface Progress {
  status: "progress";
  id?: string | number;
  warnings?: Array<string>;
  percent: number;
  stage: string;
  /** Estimated seconds left. */
  eta: number | null;
  /** Many files or a batch: index of the current file or job, starting at 0. */
  index?: number;
  /** Number of files or jobs. */
  count?: number;
  /** How far the current file or job is. */
  part_percent?: number;
  /** Stage of the current file or job. */
  part_stage?: string;
}

/** The restoration of a file has begun. */
export interface Restoring {
  status: "restoring";
  id?: string | number;
  warnings?: Array<string>;
  /** File name without its folder. */
  input: string;
}

/** A stretch of all stems is finished, and can be read. */
export interface Segment {
  status: "segment";
  id?: string | number;
  warnings?: Array<string>;
  /** Where it begins, in samples. */
  start: number;
  /** Number of samples of each channel. */
  frames: number;
  sample_rate: number;
  /** Each stem, and the file that grows. */
  stems: Record<string, string | null>;
}

/** The separation of a file has begun. */
export interface Separating {
  status: "separating";
  id?: string | number;
  warnings?: Array<string>;
  /** File name without its folder. */
  input: string;
}

/** The stems of a file are about to be told in `segment` lines. If it comes again, they begin anew. */
export interface StreamBegun {
  status: "streaming";
  id?: string | number;
  warnings?: Array<string>;
  /** File name without its folder. */
  input: string;
  /** Each stem, and the WAV file of 32-bit floats that grows while the job runs; null where samples go to a pipe. It has a temporary name, and in the end that of the stem, or none any more. */
  stems: Record<string, string | null>;
  sample_rate: number;
  channels: number;
  /** Number of samples that each channel will have; null where the end of a song is yet to come. */
  frames: number | null;
}

/** Check that the worker is alive, and which model is active. */
export interface Ping {
  cmd: "ping";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
}

/** The worker is alive. */
export interface Pong {
  status: "pong";
  id?: string | number;
  warnings?: Array<string>;
  model_loaded: string | null;
  /** dsu-audio-separator: the active model for `separate`. */
  separator_model?: string | null;
  /** dsu-audio-separator: the active model for `apollo`. */
  apollo_model?: string | null;
}

/** A request failed. The worker can still be used, unless the code is `device_lost`. */
export interface ErrorReply {
  status: "error";
  id?: string | number;
  warnings?: Array<string>;
  message: string;
  code: string;
  hint?: string;
  suggestions?: Array<string>;
  field?: string;
  /** The step of a recipe that failed. */
  step?: string;
  traceback?: string;
}

/** Report the device, queue, cache, memory and counters. */
export interface GetStatus {
  cmd: "get_status";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
}

export interface Status {
  status: "status";
  id?: string | number;
  warnings?: Array<string>;
  model_loaded: string | null;
  device: string;
  precision: "bf16" | "fp16" | "fp32";
  ready: boolean;
  busy: boolean;
  queued: number;
  cached_models: Array<string>;
  cache_size: number;
  max_cache_size: number;
  threads: number;
  memory: Memory;
  uptime: number;
  jobs_done: number;
  jobs_failed: number;
  card?: Card;
  /** The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest. */
  attention?: string;
  /** With the setting `devices`: each of them. The fields beside this one are their sums and unions. */
  devices?: Array<DeviceState>;
  /** What this worker accepts; settings change it. */
  limits?: WorkerLimits;
}

export interface Memory {
  rss_mb: number;
  device_allocated_mb: number | null;
  device_free_mb: number | null;
}

/** One of several devices, and the process that works on it. */
export interface DeviceState {
  device: string;
  pid: number | null;
  ready: boolean;
  busy: boolean;
  /** How often its process was started again. */
  restarts: number;
  /** Why it is not ready. */
  fault?: string;
  model_loaded: string | null;
  cached_models: Array<string>;
  memory: Memory | null;
  card?: Card;
  /** The kernel for attention in this precision: `flash`, `efficient`, `cudnn`, … or `math`, the slowest. */
  attention?: string;
}

/** How much a worker accepts: the settings of these names. */
export interface WorkerLimits {
  max_queued_jobs: number;
  max_queued_bytes: number;
  max_line_bytes: number;
  max_model_bytes: number;
  max_load_seconds: number;
  max_download_bytes: number;
  lowest_sample_rate: number;
}

/** Cancel the running job or, with `id`, the running or queued job with that id. */
export interface Cancel {
  cmd: "cancel";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
}

/** Answers `cancel` itself; the cancelled job has a reply of its own. */
export interface CancelRequested {
  status: "cancel_requested";
  id?: string | number;
  warnings?: Array<string>;
  /** Whether there was such a job. */
  found: boolean;
}

/** Let a job that was sent with `start_at` go on at another place of its song. */
export interface Seek {
  cmd: "seek";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Its id. By default the job with the `id` of this request, or else the running one. */
  job?: string | number | null;
  /** Where the listener is, in seconds. */
  position: number;
}

/** Answers `seek` itself; the job goes on there as soon as the chunk that runs is done. */
export interface SeekRequested {
  status: "seek_requested";
  id?: string | number;
  warnings?: Array<string>;
  /** Whether there was such a job. */
  found: boolean;
}

/** Return the protocol of this worker as JSON Schemas. */
export interface Describe {
  cmd: "describe";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
}

export interface Description {
  status: "description";
  id?: string | number;
  warnings?: Array<string>;
  protocol: number;
  worker: string;
  version: string;
  /** The request and response schemas of each command. */
  commands: Record<string, unknown>;
  /** The schema of each event, by its status. */
  events: Record<string, unknown>;
  /** The types that the schemas refer to. */
  definitions: Record<string, unknown>;
}

/** Examine this machine: its disks, codecs and limits, and how each device computes, in a child process. What was found best for a graphics card is remembered, and is what `auto` precision means from the next start on. */
export interface Doctor {
  cmd: "doctor";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Examine only this device: `cpu`, `cuda`, `cuda:N`, …; by default all. */
  device?: string | null;
  /** Send `progress` lines. */
  progress?: boolean;
}

/** What the doctor has found. */
export interface Diagnosis {
  status: "diagnosis";
  id?: string | number;
  warnings?: Array<string>;
  /** No problem was found; there may be warnings. */
  healthy: boolean;
  version: string;
  system: string;
  findings: Array<MachineFinding>;
  devices: Array<DeviceFinding>;
  elapsed: number;
}

/** What one check of the machine has found. */
export interface MachineFinding {
  check: string;
  state: "good" | "problem" | "warning";
  message: string;
  hint?: string;
}

/** What a device makes of small networks of every kind, beside the processor in single precision. */
export interface DeviceFinding {
  device: string;
  card?: Card;
  /** Why it cannot be used. */
  fault?: string;
  /** The fastest precision in which every network came out right. */
  precision?: "bf16" | "fp16" | "fp32";
  precisions: Record<string, PrecisionFinding>;
  /** How exactly a spectrum becomes the signal again. */
  spectrum_db?: number | null;
  /** The kernels for attention that run here. */
  attention: Array<string>;
  /** What onnxruntime computes MDX models with; null if it does not run. */
  mdx?: string | null;
  /** Free memory, before the examination. */
  free_mb?: number;
  /** NVIDIA: the oldest driver for which this build is made. */
  driver_needed?: number | null;
  /** What is not as it should be, but works. */
  warnings: Array<string>;
  /** Seconds of audio that a fixed network does in a second, to compare machines with. */
  speed?: number | null;
  /** Memory that was not returned afterwards. */
  memory_left_mb?: number;
}

/** How a device computes in one precision. */
export interface PrecisionFinding {
  /** How far the error lies below the output, of the network where it is largest; 200 is exact. */
  lowest_db: number | null;
  /** That network. */
  lowest_of: string;
  /** The networks that do not compute as they should, and why. */
  faults: Record<string, string>;
}

/** A job was cancelled. It leaves no files except those of parts that were complete, which `results` lists. */
export interface Cancelled {
  status: "cancelled";
  id?: string | number;
  warnings?: Array<string>;
  message: string;
  /** Many files or a batch: the replies of the parts that had ended. */
  results?: Array<Record<string, unknown>>;
}

/** Shut the worker down once all jobs sent before this command have ended. */
export interface Exit {
  cmd: "exit";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Cancel all running and queued jobs first. */
  force?: boolean;
}

/** The last line after `exit`. */
export interface Exiting {
  status: "exiting";
  id?: string | number;
  warnings?: Array<string>;
}

/** List the models that this worker knows or finds. */
export interface DemucsListModels {
  cmd: "list_models";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Also describe each model. */
  details?: boolean;
  /** List only this model; the signature of a network in a bag works too. */
  model?: string | null;
  /** Only models that are good for this, those with the best published scores first. */
  purpose?: "anything" | "bass" | "bleed" | "breath" | "center" | "crowd" | "denoise" | "dereverb" | "drumkit" | "drums" | "film" | "guitar" | "instrumental" | "instruments" | "karaoke" | "piano" | "restore" | "speech" | "stems" | "vocals" | "voices" | null;
  /** Only models that are installed, or only the others. */
  installed?: boolean | null;
  /** Only models whose licence is known to allow commercial use. */
  commercial_use?: boolean;
  /** Only models that are at least as fast as this. */
  speed?: "fast" | "medium" | "slow" | null;
  /** Only models whose files are known to be no larger than this together. */
  max_size_bytes?: number | null;
  /** Folder of local models to list as well. */
  repo?: string | null;
}

export interface Models {
  status: "models";
  id?: string | number;
  warnings?: Array<string>;
  models: Array<string>;
  details?: Array<ModelDetails>;
}

export interface ModelDetails {
  name: string;
  type: string;
  stems: Array<string>;
  description: string;
  installed: boolean;
  size_bytes: number | null;
  sdr: Record<string, number> | null;
  license: string | null;
  /** Bags of Demucs networks: how many there are. */
  networks?: number;
  /** Public bags: the signatures of their networks. */
  members?: Array<string>;
  /** Other names that mean this model. */
  aliases?: Array<string>;
  /** What the model's checkpoints are compared with: `known`, the SHA-256 that DSU comes with; `remembered`, that of the first download; `none`, nothing. */
  hash: "known" | "none" | "remembered";
  /** What it is good for. */
  purposes?: Array<"anything" | "bass" | "bleed" | "breath" | "center" | "crowd" | "denoise" | "dereverb" | "drumkit" | "drums" | "film" | "guitar" | "instrumental" | "instruments" | "karaoke" | "piano" | "restore" | "speech" | "stems" | "vocals" | "voices">;
  /** What it is recommended for, and how much that asks of the machine. */
  recommended?: Record<string, "best" | "fast" | "good">;
  /** How long it takes, estimated by its kind and its size. */
  speed?: "fast" | "medium" | "slow";
  author?: string;
  /** Of its publication. */
  year?: number;
  /** Whether its licence allows commercial use; null if that is unknown. */
  commercial_use?: boolean | null;
  /** Who states the licence. */
  license_source?: string;
  /** What the SDR was measured on. */
  sdr_on?: "author" | "musdb18" | "musdb18_median" | "mvsep" | "other" | "unstated";
  /** Who publishes the SDR. */
  sdr_source?: string;
  /** Published scores; more is less bleed. */
  bleedless?: Record<string, number>;
  /** Published scores; more is fuller. */
  fullness?: Record<string, number>;
  /** Who publishes these two. */
  bleedless_source?: string;
  /** Whether `download_model` can fetch it: whether addresses of all files are known. */
  downloadable?: boolean;
  notes?: Array<string>;
}

/** Load a model and make it the active one. */
export interface DemucsLoad {
  cmd: "load_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** Folder of local models. */
  repo?: string | null;
}

export interface ModelLoaded {
  status: "model_loaded";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
  stems: Array<string>;
  cached: boolean;
  elapsed: number;
}

/** Load a model without making it the active one. */
export interface DemucsPreload {
  cmd: "preload_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** Folder of local models. */
  repo?: string | null;
}

export interface ModelPreloaded {
  status: "model_preloaded";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
  stems: Array<string>;
  already_cached: boolean;
  cached_count: number;
}

/** Download a model's files into the models directory and check their size and SHA-256. */
export interface DownloadModel {
  cmd: "download_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model. */
  model: string;
}

/** A model was downloaded. `path`, `size_bytes` and `sha256` are those of the first file; `files` lists all. */
export interface ModelDownloaded {
  status: "model_downloaded";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
  path: string;
  size_bytes: number;
  sha256: string;
  files: Array<string>;
}

/** Separate one file (`input`) or many (`inputs`) into `OUTPUT/MODEL/TRACK/STEM.wav`. */
export interface DemucsSeparate {
  cmd: "separate";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** Directory for the results; by default `output` in the worker's working directory. */
  output?: string | null;
  /** Another name for `output`. */
  output_dir?: string | null;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** Number of random time shifts to average over; default 1, or 0 for quantized bags. */
  shifts?: number | null;
  /** Overlap of adjacent segments, as a fraction. */
  overlap?: number;
  /** Length of a segment in seconds; by default the model's own. */
  segment?: number | null;
  /** Another name for `segment`. */
  segments?: number | null;
  /** On the CPU: number of segments that run in parallel, each in its own thread. */
  jobs?: number;
  /** Folder of local models: `.th` files, and `.yaml` files for bags. */
  repo?: string | null;
  /** Separate in segments; if false, the whole song at once, if the network and the memory allow it. */
  split?: boolean;
  /** Average over so many separations whose chunks begin at different places, evenly spaced; takes so many times as long. */
  bigshifts?: number;
  /** Let the network hear the song so many semitones higher (lower if negative) and so much faster; the stems are as before. For voices that are higher or lower than it knows. What is raised loses its highest frequencies: +12 leaves half the band. */
  pitch_shift?: number;
  /** How `two_stems` makes `no_STEM`: as the mix `minus` the stem, as the sum of the other stems (`add`), or not at all (`none`); default `add` in dsu-demucs, `minus` in dsu. */
  other_method?: "add" | "minus" | "none" | null;
  /** Name of the stem that `two_stems` makes of everything else; default `no_STEM`. */
  rest_name?: string | null;
}

/** Samples that come through a pipe instead of a file. docs/live.md says how they are written. */
export interface PipedInput {
  /** The number of a descriptor that the worker inherited, the path of a FIFO or of a Unix socket that listens, or the name of a named pipe of Windows. */
  pipe: number | string;
  /** Sample rate in Hz. */
  sample_rate: number;
  /** Number of channels. */
  channels: number;
  /** Number of samples of each channel, where it is known beforehand. */
  frames?: number | null;
  /** What the results are named after. */
  name?: string;
  /** Models that scale a song by its loudness take that of its first seconds, so many, and wait for them. */
  statistics_s?: number;
  /** Separate only when the whole song has come, in exactly the same way as a file. Some models always do. */
  record_first?: boolean;
  /** How long to wait until somebody opens the other end of the pipe. */
  wait_s?: number;
}

/** An excerpt of the input, in seconds. */
export interface Preview {
  /** Where the excerpt begins. */
  start?: number;
  /** Length of the excerpt. */
  duration?: number;
}

/** How stems are told and given while a job runs. */
export interface Streaming {
  /** A `segment` line tells of at least so many seconds, but for the last one. */
  every_s?: number;
  /** Write the samples to this pipe, instead of letting files grow: the number of a descriptor that the worker inherited, the path of a FIFO or of a Unix socket that listens, or the name of a named pipe of Windows. docs/live.md says what comes through it. */
  pipe?: number | string | null;
  /** How long to wait until somebody opens the other end of the pipe. */
  wait_s?: number;
  /** Also write the files of the stems; without them, nothing is written to the disk. */
  files?: boolean;
}

/** One of the equal parts of a song that several workers separate together. */
export interface SongShare {
  /** Which of them; the first is 1. */
  number: number;
  /** How many there are. */
  of: number;
}

/** A separation succeeded. `warnings` is always present. */
export interface Done {
  status: "done";
  id?: string | number;
  warnings: Array<string>;
  /** Seconds spent on the separation itself. */
  elapsed: number;
  output_dir: string;
  /** File names in `output_dir`. */
  files: Array<string>;
  stems: Array<string>;
  /** Absolute path of each stem. */
  paths: Record<string, string>;
  /** Length of the audio in seconds. */
  duration: number;
  /** Speed as a multiple of real time. */
  speed: number;
  sample_rate: number;
  model: string;
  device: string;
  model_from_cache: boolean;
  timing: Timing;
  /** Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed. */
  gain: number;
  /** Settings that were used, such as shifts and overlap. */
  settings: Record<string, unknown>;
  /** Absolute path of `report.png`, if it was requested. */
  report?: string;
  /** Absolute path of `report.html`, if it was requested. */
  report_html?: string;
  /** With `resume`: the file was already done, and the other fields are those of that job. */
  skipped?: boolean;
}

/** Seconds spent on each step. */
export interface Timing {
  load: number;
  decode: number;
  infer: number;
  encode: number;
  /** VR models and `denoise`: a pass over the song that finds its loudest bin, or how its level changes. */
  survey?: number;
}

/** A request with `inputs` ended, and at least one file succeeded. */
export interface ManyDone {
  status: "done";
  id?: string | number;
  warnings?: Array<string>;
  elapsed: number;
  /** The `done` or `error` of each file, in order. */
  results: Array<Record<string, unknown>>;
  succeeded: number;
  failed: number;
  /** How many of the files that succeeded were already done. */
  skipped: number;
  /** Absolute paths of all stems. */
  files: Array<string>;
}

/** List the loaded models. */
export interface ListCached {
  cmd: "list_cached";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
}

export interface CachedModels {
  status: "cached_models";
  id?: string | number;
  warnings?: Array<string>;
  models: Array<CachedModel>;
  count: number;
  max: number;
}

export interface CachedModel {
  identifier: string;
  name: string;
  stems: Array<string>;
  active: boolean;
  size_mb: number;
  /** With the setting `devices`: where it is loaded. */
  device?: string;
}

/** Unload all models. A running job keeps its model until it ends. */
export interface ClearCache {
  cmd: "clear_cache";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
}

export interface CacheCleared {
  status: "cache_cleared";
  id?: string | number;
  warnings?: Array<string>;
  models_cleared: number;
}

/** Set how many models stay loaded. 0 turns the cache off. */
export interface SetCacheSize {
  cmd: "set_cache_size";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Number of models. */
  n?: number | null;
  /** Another name for `n`. */
  max_cached_models?: number | null;
}

export interface CacheSizeUpdated {
  status: "cache_size_updated";
  id?: string | number;
  warnings?: Array<string>;
  max_cached_models: number;
  cache_enabled: boolean;
}

/** Set the kind of disk that holds the models: checkpoints on an `ssd` are memory-mapped, on an `hdd` read as a whole. */
export interface SetStorageType {
  cmd: "set_storage_type";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Kind of disk. */
  type: "hdd" | "ssd";
}

export interface StorageConfigured {
  status: "storage_configured";
  id?: string | number;
  warnings?: Array<string>;
  type: string;
  mmap_enabled: boolean;
  mmap_supported: boolean;
}

/** Run several jobs and answer once. The `input` of a job may be a stem of an earlier one: `{"from": INDEX, "stem": NAME}`. */
export interface Batch {
  cmd: "batch";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** The jobs, each written like a request of its own. */
  jobs: Array<object>;
  /** Go on after a job has failed. */
  continue_on_error?: boolean;
  /** Run jobs that use the same model one after another; the results keep the order of `jobs`. */
  group_by_model?: boolean;
  /** Default of `resume` for all jobs. */
  resume?: boolean;
  /** Send `progress` lines for the batch. */
  progress?: boolean;
}

/** Every job of a batch succeeded. */
export interface BatchDone {
  status: "done";
  id?: string | number;
  warnings?: Array<string>;
  results: Array<Record<string, unknown>>;
  message: string;
  elapsed: number;
}

/** A job of a batch failed. `results` holds the replies up to then. */
export interface BatchFailed {
  status: "error";
  id?: string | number;
  warnings?: Array<string>;
  results: Array<Record<string, unknown>>;
  message: string;
  code: string;
  elapsed: number;
}

/** List the models that this worker knows or finds. */
export interface ListModels {
  cmd: "list_models";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Also describe each model. */
  details?: boolean;
  /** List only this model; the signature of a network in a bag works too. */
  model?: string | null;
  /** Only models that are good for this, those with the best published scores first. */
  purpose?: "anything" | "bass" | "bleed" | "breath" | "center" | "crowd" | "denoise" | "dereverb" | "drumkit" | "drums" | "film" | "guitar" | "instrumental" | "instruments" | "karaoke" | "piano" | "restore" | "speech" | "stems" | "vocals" | "voices" | null;
  /** Only models that are installed, or only the others. */
  installed?: boolean | null;
  /** Only models whose licence is known to allow commercial use. */
  commercial_use?: boolean;
  /** Only models that are at least as fast as this. */
  speed?: "fast" | "medium" | "slow" | null;
  /** Only models whose files are known to be no larger than this together. */
  max_size_bytes?: number | null;
}

/** Load a model and make it the active one. */
export interface NetworkLoad {
  cmd: "load_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the one loaded last. */
  model?: string | null;
  /** Checkpoint of your own network, instead of `model`. */
  model_path?: string | null;
  /** YAML configuration of the network in `model_path`. */
  config_path?: string | null;
  /** Type of the network in `model_path`; detected automatically by default. */
  model_type?: string | null;
}

/** Load a model without making it the active one. */
export interface NetworkPreload {
  cmd: "preload_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the one loaded last. */
  model?: string | null;
  /** Checkpoint of your own network, instead of `model`. */
  model_path?: string | null;
  /** YAML configuration of the network in `model_path`. */
  config_path?: string | null;
  /** Type of the network in `model_path`; detected automatically by default. */
  model_type?: string | null;
}

/** Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK/STEM.wav`. */
export interface NetworkSeparate {
  cmd: "separate";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** Directory for the results; by default `output` in the worker's working directory. */
  output?: string | null;
  /** Another name for `output`. */
  output_dir?: string | null;
  /** Name of the model; by default the one loaded last. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** Checkpoint of your own network, instead of `model`. */
  model_path?: string | null;
  /** YAML configuration of the network in `model_path`. */
  config_path?: string | null;
  /** Type of the network in `model_path`; detected automatically by default. */
  model_type?: string | null;
  /** Preset for `overlap` and `use_tta`; either of them overrides it. */
  quality?: "balanced" | "best" | "fast" | null;
  /** Number of windows that cover each sample; default 1, which is seamless, too. */
  overlap?: number | null;
  /** Another name for `overlap`. */
  num_overlap?: number | null;
  /** Length of a window in seconds; by default set by the model's configuration. */
  chunk_seconds?: number | null;
  /** Accepted for compatibility; has no effect. */
  use_fast?: boolean;
  /** Average with separations of swapped channels and of inverted polarity; takes 3 times as long. */
  use_tta?: boolean | null;
  /** Average over so many separations whose chunks begin at different places, evenly spaced; takes so many times as long. */
  bigshifts?: number;
  /** Let the network hear the song so many semitones higher (lower if negative) and so much faster; the stems are as before. For voices that are higher or lower than it knows. What is raised loses its highest frequencies: +12 leaves half the band. */
  pitch_shift?: number;
  /** Also write `instrumental`: the mix minus the vocals. */
  extract_instrumental?: boolean;
  /** Several networks instead of `model`, given by name or by their files. */
  ensemble?: Array<string | NetworkMember> | null;
  /** How the members' results are combined, as waveforms or as spectrograms. */
  ensemble_type?: "avg_fft" | "avg_wave" | "max_fft" | "max_wave" | "median_fft" | "median_wave" | "min_fft" | "min_wave";
  /** Weight of each member in an average. */
  ensemble_weights?: Array<number> | null;
}

/** Your own network as a member of an ensemble. */
export interface NetworkMember {
  /** Checkpoint of the network. */
  model_path: string;
  /** YAML configuration of the network. */
  config_path: string;
  /** Type of the network in `model_path`; detected automatically by default. */
  model_type?: string | null;
}

/** Load a VR or MDX model and make it the active one. */
export interface AudioSeparatorLoad {
  cmd: "load_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** File name or path of the model; default the one loaded last, or else `model_bs_roformer_ep_317_sdr_12.9755.ckpt`. */
  model?: string | null;
  /** Directory of the model file; by default the models directory. */
  model_file_dir?: string | null;
}

/** Load a VR or MDX model without making it the active one. */
export interface AudioSeparatorPreload {
  cmd: "preload_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** File name or path of the model; default the one loaded last, or else `model_bs_roformer_ep_317_sdr_12.9755.ckpt`. */
  model?: string | null;
  /** Directory of the model file; by default the models directory. */
  model_file_dir?: string | null;
}

/** Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(Stem).wav`. */
export interface AudioSeparatorSeparate {
  cmd: "separate";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** Directory for the results; by default `output` in the worker's working directory. */
  output?: string | null;
  /** Another name for `output`. */
  output_dir?: string | null;
  /** File name or path of the model; default the one loaded last, or else `model_bs_roformer_ep_317_sdr_12.9755.ckpt`. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** Directory of the model file; by default the models directory. */
  model_file_dir?: string | null;
  /** Write only this stem. */
  single_stem?: string | null;
  /** MDX: subtract the stem from the mix as a spectrogram instead of as a waveform. */
  invert_spect?: boolean;
  /** VR: how aggressively the primary stem is cut out; typically 5. */
  vr_aggression?: number;
  /** VR: run the network a second time with shifted windows; takes twice as long. */
  vr_enable_tta?: boolean;
  /** VR: mirror the network's frequency range into the range above it. */
  vr_high_end_process?: boolean;
  /** VR: in passages where nearly everything belongs to the primary stem, give it everything. */
  vr_post_process?: boolean;
  /** VR: `vr_post_process` applies to passages in which the whole mask is above this value. */
  vr_post_process_threshold?: number;
  /** VR: frames per window; 320 is slower and slightly better than 512. */
  vr_window_size?: number;
  /** MDX: frames per segment; by default the model's own. */
  mdx_segment_size?: number | null;
  /** MDX: overlap of adjacent chunks, as a fraction. */
  mdx_overlap?: number;
  /** MDX: run the network twice so that its own noise cancels out; takes twice as long. */
  mdx_enable_denoise?: boolean;
  /** Not for VR: average over so many separations whose chunks begin at different places, evenly spaced; takes so many times as long. */
  bigshifts?: number;
  /** Let the network hear the song so many semitones higher (lower if negative) and so much faster; the stems are as before. For voices that are higher or lower than it knows. What is raised loses its highest frequencies: +12 leaves half the band. */
  pitch_shift?: number;
  /** For an unknown model file: the stem that its network outputs. */
  primary_stem?: string | null;
  /** For an unknown model file: the stem that remains when the primary one is removed. */
  secondary_stem?: string | null;
  /** For an unknown VR file: its band parameters, by name (`4band_v3`) or as an object. */
  vr_model_param?: string | object | null;
  /** For an unknown VR 5.1 file: its number of output channels. */
  nout?: number | null;
  /** For an unknown VR 5.1 file: the number of output channels of its LSTM. */
  nout_lstm?: number | null;
  /** For an unknown MDX file: its FFT size. */
  mdx_n_fft_scale_set?: number | null;
  /** For an unknown MDX file: its number of frequency bins. */
  mdx_dim_f_set?: number | null;
  /** For an unknown MDX file: its number of frames, as an exponent of 2. */
  mdx_dim_t_set?: number | null;
  /** For an unknown MDX file: the gain of its stem before it is subtracted from the mix. */
  compensate?: number | null;
}

/** Restore a file that lossy compression has damaged; the result goes to the file `output` or into the directory `output_dir`. */
export interface Apollo {
  cmd: "apollo";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** File to write; its extension determines the format. */
  output?: string | null;
  /** Directory for `TRACK_(STEM).wav`, instead of `output`. */
  output_dir?: string | null;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** Checkpoint of your own network, instead of `model`. */
  model_path?: string | null;
  /** YAML configuration of the network in `model_path`. */
  config_path?: string | null;
  /** Feature dimension of the network; by default read from its configuration or checkpoint. */
  feature_dim?: number | null;
  /** Number of layers of the network; by default read from its configuration or checkpoint. */
  layer?: number | null;
  /** Length of a chunk in seconds. */
  chunk_seconds?: number;
  /** Length of the cross-fade between chunks, in seconds. */
  chunk_overlap?: number;
  /** Also write `addition`: what the restoration added. */
  addition?: boolean;
}

/** A restoration succeeded. `files` holds absolute paths. */
export interface Restored {
  status: "done";
  id?: string | number;
  warnings: Array<string>;
  /** Seconds spent on the separation itself. */
  elapsed: number;
  output_dir: string;
  /** File names in `output_dir`. */
  files: Array<string>;
  stems: Array<string>;
  /** Absolute path of each stem. */
  paths: Record<string, string>;
  /** Length of the audio in seconds. */
  duration: number;
  /** Speed as a multiple of real time. */
  speed: number;
  sample_rate: number;
  model: string;
  device: string;
  model_from_cache: boolean;
  timing: Timing;
  /** Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed. */
  gain: number;
  /** Settings that were used, such as shifts and overlap. */
  settings: Record<string, unknown>;
  /** Absolute path of `report.png`, if it was requested. */
  report?: string;
  /** Absolute path of `report.html`, if it was requested. */
  report_html?: string;
  /** With `resume`: the file was already done, and the other fields are those of that job. */
  skipped?: boolean;
  /** Whether the network was already loaded. */
  cached: boolean;
}

/** Load an Apollo network in advance, so that the first `apollo` starts sooner. */
export interface LoadApollo {
  cmd: "load_apollo";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** Checkpoint of your own network, instead of `model`. */
  model_path?: string | null;
  /** YAML configuration of the network in `model_path`. */
  config_path?: string | null;
  /** Feature dimension of the network; by default read from its configuration or checkpoint. */
  feature_dim?: number | null;
  /** Number of layers of the network; by default read from its configuration or checkpoint. */
  layer?: number | null;
}

export interface ApolloLoaded {
  status: "model_loaded";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
  stems: Array<string>;
  cached: boolean;
  elapsed: number;
  type: string;
  feature_dim: number;
  layer: number;
}

/** List models and ensembles under the names of the audio-separator package, and your own models in the models directory. */
export interface PackageListModels {
  cmd: "package_list_models";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
}

export interface PackageModels {
  status: "package_models";
  id?: string | number;
  warnings?: Array<string>;
  models: Array<PackageModel>;
  presets: Record<string, EnsemblePreset>;
}

/** A model as the audio-separator package lists it. */
export interface PackageModel {
  file: string;
  /** What the package calls the type of its network. */
  kind: "Demucs" | "MDX" | "MDXC" | "VR";
  name: string;
  /** The file that describes its network. */
  config: string | null;
  stems: Array<string>;
  /** The stems as they appear in file names, if its configuration here has other names. */
  instruments: Array<string>;
  /** The stem that it was made for. */
  target_stem: string | null;
  /** Median SDR of each stem, in dB. */
  sdr: Record<string, number>;
}

/** An ensemble with a name. */
export interface EnsemblePreset {
  /** Name for display. */
  name: string;
  description: string;
  models: Array<string>;
  algorithm: "avg_fft" | "avg_wave" | "ensemble_wav" | "max_fft" | "max_wave" | "median_fft" | "median_wave" | "min_fft" | "min_wave" | "uvr_max_spec" | "uvr_min_spec";
}

/** Load a model for `package_separate` and report its kind and its stems. The active model stays the same. */
export interface PackageLoad {
  cmd: "package_load_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model's file in the package; default `model_bs_roformer_ep_317_sdr_12.9755.ckpt`. */
  model?: string | null;
  /** VR and MDX: directory of the model's file; by default the models directory. */
  model_file_dir?: string | null;
}

/** A model was loaded for `package_separate`. `stems` are those of its files. */
export interface PackageModelLoaded {
  status: "model_loaded";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
  stems: Array<string>;
  cached: boolean;
  elapsed: number;
  kind: "Demucs" | "MDX" | "MDXC" | "VR";
}

/** Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(STEM)_MODEL.wav`, as the audio-separator package does. With a VR, MDX, MDXC, RoFormer or Demucs model, or with several. */
export interface PackageSeparate {
  cmd: "package_separate";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** Directory for the results; by default `output` in the worker's working directory. */
  output?: string | null;
  /** Another name for `output`. */
  output_dir?: string | null;
  /** Name of the model's file in the package; default `model_bs_roformer_ep_317_sdr_12.9755.ckpt`. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; by default as deep as the input, as far as the format supports it. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** VR and MDX: directory of the model's file; by default the models directory. */
  model_file_dir?: string | null;
  /** Write only this stem. */
  single_stem?: string | null;
  /** MDX: subtract the stem from the mix as a spectrogram instead of as a waveform. */
  invert_spect?: boolean;
  /** VR: how aggressively the primary stem is cut out; typically 5. */
  vr_aggression?: number;
  /** VR: run the network a second time with shifted windows; takes twice as long. */
  vr_enable_tta?: boolean;
  /** VR: mirror the network's frequency range into the range above it. */
  vr_high_end_process?: boolean;
  /** VR: in passages where nearly everything belongs to the primary stem, give it everything. */
  vr_post_process?: boolean;
  /** VR: `vr_post_process` applies to passages in which the whole mask is above this value. */
  vr_post_process_threshold?: number;
  /** VR: frames per window; 320 is slower and slightly better than 512. */
  vr_window_size?: number;
  /** MDX: frames per segment. */
  mdx_segment_size?: number;
  /** MDX: overlap of adjacent chunks, as a fraction. */
  mdx_overlap?: number;
  /** MDX: run the network twice so that its own noise cancels out; takes twice as long. */
  mdx_enable_denoise?: boolean;
  /** MDX and Demucs: average over so many separations whose chunks begin at different places. */
  bigshifts?: number;
  /** Let the network hear the song so many semitones higher (lower if negative) and so much faster; the stems are as before. For voices that are higher or lower than it knows. What is raised loses its highest frequencies: +12 leaves half the band. */
  pitch_shift?: number;
  /** For an unknown model file: the stem that its network outputs. */
  primary_stem?: string | null;
  /** For an unknown model file: the stem that remains when the primary one is removed. */
  secondary_stem?: string | null;
  /** For an unknown VR file: its band parameters, by name (`4band_v3`) or as an object. */
  vr_model_param?: string | object | null;
  /** For an unknown VR 5.1 file: its number of output channels. */
  nout?: number | null;
  /** For an unknown VR 5.1 file: the number of output channels of its LSTM. */
  nout_lstm?: number | null;
  /** For an unknown MDX file: its FFT size. */
  mdx_n_fft_scale_set?: number | null;
  /** For an unknown MDX file: its number of frequency bins. */
  mdx_dim_f_set?: number | null;
  /** For an unknown MDX file: its number of frames, as an exponent of 2. */
  mdx_dim_t_set?: number | null;
  /** For an unknown MDX file: the gain of its stem before it is subtracted from the mix. */
  compensate?: number | null;
  /** Highest peak of songs and stems; louder ones are lowered to it. */
  normalization?: number;
  /** Lowest peak of songs and stems; quieter ones are raised to it. */
  amplification?: number;
  /** File names, by stem. */
  custom_output_names?: Record<string, string> | null;
  /** The end of the file names; by default made from the names of the models. */
  label?: string | null;
  /** MDXC: frames per window, for short songs or with `mdxc_override_model_segment_size`. */
  mdxc_segment_size?: number;
  /** MDXC: use `mdxc_segment_size` for long songs as well, instead of the model's own. */
  mdxc_override_model_segment_size?: boolean;
  /** MDXC: number of windows that cover each sample; by default the model's own, or else 8. */
  mdxc_overlap?: number | null;
  /** MDXC: raise the pitch of the song by this many semitones for the network. */
  mdxc_pitch_shift?: number;
  /** Demucs: length of a segment in seconds; by default the model's own. */
  demucs_segment_s?: number | null;
  /** Demucs: separate in segments; if false, the whole song at once, if possible. */
  demucs_split?: boolean;
  /** Demucs: random time shifts to average over. */
  demucs_shifts?: number;
  /** Demucs: overlap of adjacent segments, as a fraction. */
  demucs_overlap?: number;
  /** Several models of any kind, instead of `model`. */
  ensemble?: Array<string> | null;
  /** A named ensemble; it sets the models, unless the request names others. */
  ensemble_preset?: string | null;
  /** How the results of several models are combined; by default as in `ensemble_preset`, or else `avg_wave`. */
  ensemble_algorithm?: "avg_fft" | "avg_wave" | "ensemble_wav" | "max_fft" | "max_wave" | "median_fft" | "median_wave" | "min_fft" | "min_wave" | "uvr_max_spec" | "uvr_min_spec" | null;
  /** Weight of each model in an average. */
  ensemble_weights?: Array<number> | null;
}

/** Load a model and make it the active one; default `audiosep_base`. */
export interface AudioSepLoad {
  cmd: "load_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** YAML configuration of the separation network; by default the public model's. */
  config_path?: string | null;
  /** Checkpoint of the separation network; by default the model's file in the models directory. */
  checkpoint_path?: string | null;
  /** CLAP checkpoint, for its text encoder; by default the one in the models directory. */
  clap_checkpoint_path?: string | null;
  /** Folder with the vocabulary of roberta-base; by default the one in the models directory. */
  roberta_dir?: string | null;
  /** Device of the model: the one the worker was started with, or `auto`. */
  device?: string | null;
  /** Memory-map the checkpoint instead of reading it as a whole; by default as set by `set_storage_type`. */
  mmap?: boolean | null;
  /** Accepted for compatibility; has no effect, because the STFT always runs on the device. */
  use_torch_stft?: boolean | string | null;
  /** Accepted for compatibility; has no effect. */
  auto_stft_seconds?: number | null;
}

/** Load a model without making it the active one. */
export interface AudioSepPreload {
  cmd: "preload_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** YAML configuration of the separation network; by default the public model's. */
  config_path?: string | null;
  /** Checkpoint of the separation network; by default the model's file in the models directory. */
  checkpoint_path?: string | null;
  /** CLAP checkpoint, for its text encoder; by default the one in the models directory. */
  clap_checkpoint_path?: string | null;
  /** Folder with the vocabulary of roberta-base; by default the one in the models directory. */
  roberta_dir?: string | null;
  /** Device of the model: the one the worker was started with, or `auto`. */
  device?: string | null;
  /** Memory-map the checkpoint instead of reading it as a whole; by default as set by `set_storage_type`. */
  mmap?: boolean | null;
  /** Accepted for compatibility; has no effect, because the STFT always runs on the device. */
  use_torch_stft?: boolean | string | null;
  /** Accepted for compatibility; has no effect. */
  auto_stft_seconds?: number | null;
}

/** Separate the sounds that a text describes; the result goes to the file `output` or into the directory `output_dir`. */
export interface AudioSepSeparate {
  cmd: "separate";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** File to write; its extension determines the format. */
  output?: string | null;
  /** Directory for `TRACK_(STEM).wav`, instead of `output`. */
  output_dir?: string | null;
  /** Name of the model; by default the one loaded last, or else `audiosep_base`. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the results in Hz; by default the input's, even above the network's 32 kHz. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** Description in English of the sounds to separate; default `speech`. */
  text?: string | null;
  /** Several descriptions; each gets a file of its own. */
  texts?: Array<string> | null;
  /** Also write `residual`: the input without everything that was separated. */
  residual?: boolean;
  /** Split a long input into short chunks (`auto`, true) or a few long ones (false); the result is the same. */
  use_chunk?: boolean | "auto";
  /** Length of a chunk in seconds; default 10. */
  chunk_seconds?: number | null;
  /** YAML configuration of the separation network; by default the public model's. */
  config_path?: string | null;
  /** Checkpoint of the separation network; by default the model's file in the models directory. */
  checkpoint_path?: string | null;
  /** CLAP checkpoint, for its text encoder; by default the one in the models directory. */
  clap_checkpoint_path?: string | null;
  /** Folder with the vocabulary of roberta-base; by default the one in the models directory. */
  roberta_dir?: string | null;
}

/** The sounds that a text describes were separated. Each stem is named after its text. */
export interface AudioSepDone {
  status: "done";
  id?: string | number;
  warnings: Array<string>;
  /** Seconds spent on the separation itself. */
  elapsed: number;
  output_dir: string;
  /** Absolute paths. */
  files: Array<string>;
  stems: Array<string>;
  /** Absolute path of each stem. */
  paths: Record<string, string>;
  /** Length of the audio in seconds. */
  duration: number;
  /** Speed as a multiple of real time. */
  speed: number;
  sample_rate: number;
  model: string;
  device: string;
  model_from_cache: boolean;
  timing: Timing;
  /** Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed. */
  gain: number;
  /** Settings that were used, such as shifts and overlap. */
  settings: Record<string, unknown>;
  /** Absolute path of `report.png`, if it was requested. */
  report?: string;
  /** Absolute path of `report.html`, if it was requested. */
  report_html?: string;
  /** With `resume`: the file was already done, and the other fields are those of that job. */
  skipped?: boolean;
}

/** Accepted for compatibility: `envelope_matched` is a method without files, so there is nothing to load. */
export interface DenoiseLoad {
  cmd: "load_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** `envelope_matched`, the only method. */
  model?: string | null;
}

/** Accepted for compatibility, as `load_model` is. */
export interface DenoisePreload {
  cmd: "preload_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** `envelope_matched`, the only method. */
  model?: string | null;
}

/** Reduce noise that gets louder and softer with the recording, using a recording of the noise alone. The result goes to the file `output` or into the directory `output_dir`; without either, it is `TRACK_denoised.wav` next to the input. */
export interface Denoise {
  cmd: "denoise";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** File to write; its extension determines the format. By default, `TRACK_denoised.wav` next to the input. */
  output?: string | null;
  /** Directory for `TRACK_denoised.wav`, instead of `output`. */
  output_dir?: string | null;
  /** `envelope_matched`, the only method. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the result in Hz; by default the input's. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** Audio file that contains only the noise, ideally two seconds of it or more. */
  noise_profile?: string | null;
  /** Another name for `noise_profile`. */
  noise_path?: string | null;
  /** Preset for `release_time`: 0.1 s for voices and melodies, 0.3 s for `drums`, and 0.5 s (`slow`) for sustained sounds. */
  mode?: "default" | "drums" | "slow";
  /** How much of the estimated noise is subtracted; 1 is all of it. */
  subtraction_factor?: number;
  /** How fast the noise estimate follows a rising level, in seconds. */
  attack_time?: number;
  /** How fast the noise estimate follows a falling level, in seconds; by default set by `mode`. */
  release_time?: number | null;
}

/** Noise was reduced. `files` holds absolute paths. */
export interface Denoised {
  status: "done";
  id?: string | number;
  warnings: Array<string>;
  /** Seconds spent on the separation itself. */
  elapsed: number;
  output_dir: string;
  /** File names in `output_dir`. */
  files: Array<string>;
  stems: Array<string>;
  /** Absolute path of each stem. */
  paths: Record<string, string>;
  /** Length of the audio in seconds. */
  duration: number;
  /** Speed as a multiple of real time. */
  speed: number;
  sample_rate: number;
  model: string;
  device: string;
  model_from_cache: boolean;
  timing: Timing;
  /** Gain that was applied to all stems, for `loudness` or against clipping; 1 if none was needed. */
  gain: number;
  /** Settings that were used, such as shifts and overlap. */
  settings: Record<string, unknown>;
  /** Absolute path of `report.png`, if it was requested. */
  report?: string;
  /** Absolute path of `report.html`, if it was requested. */
  report_html?: string;
  /** With `resume`: the file was already done, and the other fields are those of that job. */
  skipped?: boolean;
}

/** List the names of the models of all families, or of one. */
export interface DsuListModels {
  cmd: "list_models";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Also describe each model. */
  details?: boolean;
  /** List only this model; the signature of a network in a bag works too. */
  model?: string | null;
  /** Only models that are good for this, those with the best published scores first. */
  purpose?: "anything" | "bass" | "bleed" | "breath" | "center" | "crowd" | "denoise" | "dereverb" | "drumkit" | "drums" | "film" | "guitar" | "instrumental" | "instruments" | "karaoke" | "piano" | "restore" | "speech" | "stems" | "vocals" | "voices" | null;
  /** Only models that are installed, or only the others. */
  installed?: boolean | null;
  /** Only models whose licence is known to allow commercial use. */
  commercial_use?: boolean;
  /** Only models that are at least as fast as this. */
  speed?: "fast" | "medium" | "slow" | null;
  /** Only models whose files are known to be no larger than this together. */
  max_size_bytes?: number | null;
  /** Folder of local models to list as well. */
  repo?: string | null;
  /** Only models of this family. */
  family?: "apollo" | "audio-separator" | "audiosep" | "demucs" | "networks" | null;
}

/** List the recipes for `separate`: those that come with DSU, and your own in the folder `recipes_dir`. */
export interface ListRecipes {
  cmd: "list_recipes";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** List only this recipe. */
  recipe?: string | null;
}

export interface Recipes {
  status: "recipes";
  id?: string | number;
  warnings?: Array<string>;
  recipes: Array<RecipeDetails>;
}

/** A recipe for `separate`. */
export interface RecipeDetails {
  name: string;
  description: string;
  /** The names of its steps, each after those whose stems it needs. */
  steps: Array<string>;
  /** What it writes. */
  stems: Array<string>;
  models: Array<RecipeModel>;
  /** Whether all of its models are. */
  installed: boolean;
  /** Whether the licences of all of its models allow commercial use. */
  commercial: boolean;
}

/** A model as a recipe uses it. */
export interface RecipeModel {
  model: string;
  installed: boolean;
  size_bytes: number | null;
  license: string | null;
}

/** Load a model of any family and make it the active one. It has the fields of its family's `load_model` as well. */
export interface DsuLoad {
  cmd: "load_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** The family of the model; without it, the model's name and the other fields decide. */
  family?: "apollo" | "audio-separator" | "audiosep" | "demucs" | "networks" | null;
}

/** Load a model of any family without making it the active one. It has the fields of its family's `preload_model`. */
export interface DsuPreload {
  cmd: "preload_model";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** The family of the model; without it, the model's name and the other fields decide. */
  family?: "apollo" | "audio-separator" | "audiosep" | "demucs" | "networks" | null;
}

/** Separate one file (`input`) or many (`inputs`) with a model of any family. It has the fields of its family's `separate` as well, and writes to the same places. */
export interface DsuSeparate {
  cmd: "separate";
  /** Repeated in every line that answers this request; without it, those lines have no `id`. */
  id?: string | number | null;
  /** Treat unknown fields as errors instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to errors. */
  debug?: boolean;
  /** Audio file to separate, or samples that come through a pipe, which are separated while they come. */
  input?: string | PipedInput | null;
  /** Several files and folders to separate: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** Directory for the results; by default `output` in the worker's working directory. */
  output?: string | null;
  /** Another name for `output`. */
  output_dir?: string | null;
  /** Name of the model; by default the worker's default model. */
  model?: string | null;
  /** File format of the stems. With `stem.m4a` (for four stems) and `mka`, one file holds the mix and all stems. */
  format?: "aiff" | "flac" | "m4a" | "mka" | "mp3" | "ogg" | "opus" | "stem.m4a" | "wav";
  /** Sample type of the stems; `source` keeps the depth of the input, as far as the format supports it; default `PCM_16`. It makes `stem.m4a` lossless. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Another name for `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | "source" | null;
  /** Bit rate of lossy formats, in kbit/s, for each track of a file. It makes `mka` lossy. */
  bitrate?: number | null;
  /** Write only these stems. */
  stems?: Array<string> | null;
  /** Write only this stem, and everything else as `no_STEM`. */
  two_stems?: string | null;
  /** Sample rate of the stems in Hz; `source` keeps the rate of the input, as far as the format supports it; by default the model's own rate. */
  output_sample_rate?: number | "source" | null;
  /** What to do if stems would clip: `rescale` lowers all of them by the same gain, so that they still sum to the song; `rescale_each` lowers each by its own gain, as the demucs package does; `clamp` limits their samples; `none` leaves them as they are. */
  clip?: "clamp" | "none" | "rescale" | "rescale_each";
  /** Give all stems one gain, so that they still sum: the one that brings the song to this loudness in LUFS (ITU-R BS.1770-4); or, with `input`, the one with which the stems that are written are together as loud as the song. */
  loudness?: number | "input" | null;
  /** The highest true peak of any stem, in dB below full scale (dBTP). If one were above it, all are lowered by the same gain. */
  true_peak?: number | null;
  /** Replace existing files; if false, an existing file is an error. */
  overwrite?: boolean;
  /** Skip files that an earlier job with `resume` has finished and that have not changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png` with waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Also write `report.html`, a page that shows the same and plays the stems in step. */
  report_html?: boolean;
  /** Colours of `report.png`; default `light`. */
  report_theme?: "dark" | "light" | null;
  /** Size of `report.png`: 2 is twice as wide and high; default 1. */
  report_scale?: number | null;
  /** Number of chunks that run through the network together. */
  batch_size?: number | null;
  /** The precision in which the network computes. `auto` is the fastest on this device (shown by `ready`), but `fp32` if `quality` is `best`. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Seed of the random shifts. */
  seed?: number;
  /** Separate only an excerpt. */
  preview?: Preview | null;
  /** Template for file names, with `{track}`, `{stem}`, `{model}` and `{index}`; `/` makes folders. */
  name_template?: string | null;
  /** `source` keeps the stems of a mono song mono, even if the model outputs two channels. */
  channels?: "model" | "source";
  /** Tell of stems while the job runs: a `streaming` line, then a `segment` line for each finished stretch. By default in WAV files that can be played while they grow. */
  stream?: boolean | Streaming;
  /** With `stream`: begin at this second, go on to the end and then from the beginning. `seek` moves the work while it runs. The samples stay the same. Stretches then come in another order than in the song, at the model's sample rate. */
  start_at?: number | null;
  /** Separate only this part of the song, with the samples that it has when the whole is separated, into WAV files of 32-bit floats at the model's rate. So several workers can share a long song; `shares` joins what they write. Not for recipes, nor for models that go through a song from its start to its end. */
  share?: SongShare | null;
  /** The `paths` of the `done` lines of all shares of the song, in order. Their samples become the stems that this request asks for; the networks do not run. With the same versions and devices everywhere, each file is the one that a single worker writes. */
  shares?: Array<Record<string, string>> | null;
  /** The family of the model; without it, the model's name and the other fields decide. */
  family?: "apollo" | "audio-separator" | "audiosep" | "demucs" | "networks" | null;
  /** Instead of a model: several, on the song and on each other's stems. The name of a recipe (`list_recipes`), or a recipe itself: an object with `steps` and `outputs` (docs/recipes.md). */
  recipe?: string | object | null;
  /** With `recipe`: `commercial` refuses models whose licence does not allow that, or is not known. */
  policy?: "commercial" | null;
}

/** The `code` of an error from a worker. */
export type WorkerErrorCode = "invalid_request" | "invalid_json" | "unknown_command" | "busy" | "unknown_model" | "model_not_installed" | "config_invalid" | "checkpoint_invalid" | "checkpoint_unsafe" | "checkpoint_mismatch" | "load_timeout" | "download_failed" | "checksum_mismatch" | "input_unreadable" | "input_not_found" | "input_empty" | "output_not_writable" | "unsupported_format" | "disk_full" | "device_unavailable" | "out_of_memory" | "device_lost" | "internal";

/** Any line from a worker. */
export type Line = Loading | Ready | Shutdown | Denoising | Downloading | FileDone | LoadingModel | PreloadingModel | Progress | Restoring | Segment | Separating | StreamBegun | Pong | ErrorReply | Status | CancelRequested | SeekRequested | Description | Diagnosis | Cancelled | Exiting | Models | ModelLoaded | ModelPreloaded | ModelDownloaded | Done | ManyDone | CachedModels | CacheCleared | CacheSizeUpdated | StorageConfigured | BatchDone | BatchFailed | Restored | ApolloLoaded | PackageModels | PackageModelLoaded | AudioSepDone | Denoised | Recipes;

/** The commands of each worker. */
export interface WorkerCommands {
  "demucs": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    seek: { request: Seek; reply: SeekRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    doctor: { request: Doctor; reply: Diagnosis; event: Progress };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: DemucsListModels; reply: Models; event: never };
    load_model: { request: DemucsLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: DemucsPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: DemucsSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | PreloadingModel };
  };
  "bsroformer": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    seek: { request: Seek; reply: SeekRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    doctor: { request: Doctor; reply: Diagnosis; event: Progress };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: NetworkLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: NetworkPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: NetworkSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | PreloadingModel };
  };
  "audio-separator": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    seek: { request: Seek; reply: SeekRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    doctor: { request: Doctor; reply: Diagnosis; event: Progress };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: AudioSeparatorLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: AudioSeparatorPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: AudioSeparatorSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone };
    apollo: { request: Apollo; reply: Restored | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | Restoring };
    load_apollo: { request: LoadApollo; reply: ApolloLoaded; event: LoadingModel | Downloading };
    package_list_models: { request: PackageListModels; reply: PackageModels; event: never };
    package_load_model: { request: PackageLoad; reply: PackageModelLoaded; event: LoadingModel | Downloading };
    package_separate: { request: PackageSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | PreloadingModel };
  };
  "audiosep": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    seek: { request: Seek; reply: SeekRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    doctor: { request: Doctor; reply: Diagnosis; event: Progress };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: AudioSepLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: AudioSepPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: AudioSepSeparate; reply: AudioSepDone | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | PreloadingModel };
  };
  "denoise": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    seek: { request: Seek; reply: SeekRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    doctor: { request: Doctor; reply: Diagnosis; event: Progress };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: DenoiseLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: DenoisePreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    denoise: { request: Denoise; reply: Denoised | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | Denoising };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | PreloadingModel };
  };
  "dsu": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    seek: { request: Seek; reply: SeekRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    doctor: { request: Doctor; reply: Diagnosis; event: Progress };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: DsuListModels; reply: Models; event: never };
    list_recipes: { request: ListRecipes; reply: Recipes; event: never };
    load_model: { request: DsuLoad | NetworkLoad | DemucsLoad | AudioSeparatorLoad | AudioSepLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: DsuPreload | NetworkPreload | DemucsPreload | AudioSeparatorPreload | AudioSepPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    separate: { request: DsuSeparate | NetworkSeparate | DemucsSeparate | AudioSeparatorSeparate | AudioSepSeparate; reply: Done | AudioSepDone | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    apollo: { request: Apollo; reply: Restored | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | Restoring };
    load_apollo: { request: LoadApollo; reply: ApolloLoaded; event: LoadingModel | Downloading };
    package_list_models: { request: PackageListModels; reply: PackageModels; event: never };
    package_load_model: { request: PackageLoad; reply: PackageModelLoaded; event: LoadingModel | Downloading };
    package_separate: { request: PackageSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone };
    denoise: { request: Denoise; reply: Denoised | ManyDone; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | Denoising };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | StreamBegun | Segment | FileDone | PreloadingModel };
  };
}

/** A method for each command. */
export interface WorkerMethods<K extends WorkerKind> {
  /** Check that the worker is alive, and which model is active. */
  ping: Method<K, "ping">;
  /** Report the device, queue, cache, memory and counters. */
  getStatus: Method<K, "get_status">;
  /** Let a job that was sent with `start_at` go on at another place of its song. */
  seek: MethodWithFields<K, "seek">;
  /** Return the protocol of this worker as JSON Schemas. */
  describe: Method<K, "describe">;
  /** Examine this machine: its disks, codecs and limits, and how each device computes, in a child process. What was found best for a graphics card is remembered, and is what `auto` precision means from the next start on. */
  doctor: Method<K, "doctor">;
  /**
   * - `demucs`, `bsroformer`, `audio-separator`, `audiosep`, `denoise`: List the models that this worker knows or finds.
   * - `dsu`: List the names of the models of all families, or of one.
   */
  listModels: Method<K, "list_models">;
  /**
   * - `demucs`, `bsroformer`: Load a model and make it the active one.
   * - `audio-separator`: Load a VR or MDX model and make it the active one.
   * - `audiosep`: Load a model and make it the active one; default `audiosep_base`.
   * - `denoise`: Accepted for compatibility: `envelope_matched` is a method without files, so there is nothing to load.
   * - `dsu`: Load a model of any family and make it the active one. It has the fields of its family's `load_model` as well.
   */
  loadModel: Method<K, "load_model">;
  /**
   * - `demucs`, `bsroformer`, `audiosep`: Load a model without making it the active one.
   * - `audio-separator`: Load a VR or MDX model without making it the active one.
   * - `denoise`: Accepted for compatibility, as `load_model` is.
   * - `dsu`: Load a model of any family without making it the active one. It has the fields of its family's `preload_model`.
   */
  preloadModel: Method<K, "preload_model">;
  /** Download a model's files into the models directory and check their size and SHA-256. */
  downloadModel: MethodWithFields<K, "download_model">;
  /**
   * - `demucs`: Separate one file (`input`) or many (`inputs`) into `OUTPUT/MODEL/TRACK/STEM.wav`.
   * - `bsroformer`: Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK/STEM.wav`.
   * - `audio-separator`: Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(Stem).wav`.
   * - `audiosep`: Separate the sounds that a text describes; the result goes to the file `output` or into the directory `output_dir`.
   * - `dsu`: Separate one file (`input`) or many (`inputs`) with a model of any family. It has the fields of its family's `separate` as well, and writes to the same places.
   */
  separate: FileMethod<Extract<K, "demucs" | "bsroformer" | "audio-separator" | "audiosep" | "dsu">, "separate">;
  /** List the loaded models. */
  listCached: Method<K, "list_cached">;
  /** Unload all models. A running job keeps its model until it ends. */
  clearCache: Method<K, "clear_cache">;
  /** Set how many models stay loaded. 0 turns the cache off. */
  setCacheSize: Method<K, "set_cache_size">;
  /** Set the kind of disk that holds the models: checkpoints on an `ssd` are memory-mapped, on an `hdd` read as a whole. */
  setStorageType: MethodWithFields<K, "set_storage_type">;
  /** Run several jobs and answer once. The `input` of a job may be a stem of an earlier one: `{"from": INDEX, "stem": NAME}`. */
  batch: MethodWithFields<K, "batch">;
  /** Restore a file that lossy compression has damaged; the result goes to the file `output` or into the directory `output_dir`. Of `audio-separator` and `dsu` only. */
  apollo: FileMethod<"audio-separator" | "dsu", "apollo">;
  /** Load an Apollo network in advance, so that the first `apollo` starts sooner. Of `audio-separator` and `dsu` only. */
  loadApollo: Method<"audio-separator" | "dsu", "load_apollo">;
  /** List models and ensembles under the names of the audio-separator package, and your own models in the models directory. Of `audio-separator` and `dsu` only. */
  packageListModels: Method<"audio-separator" | "dsu", "package_list_models">;
  /** Load a model for `package_separate` and report its kind and its stems. The active model stays the same. Of `audio-separator` and `dsu` only. */
  packageLoadModel: Method<"audio-separator" | "dsu", "package_load_model">;
  /** Separate one file (`input`) or many (`inputs`) into `OUTPUT/TRACK_(STEM)_MODEL.wav`, as the audio-separator package does. With a VR, MDX, MDXC, RoFormer or Demucs model, or with several. Of `audio-separator` and `dsu` only. */
  packageSeparate: FileMethod<"audio-separator" | "dsu", "package_separate">;
  /** Reduce noise that gets louder and softer with the recording, using a recording of the noise alone. The result goes to the file `output` or into the directory `output_dir`; without either, it is `TRACK_denoised.wav` next to the input. Of `denoise` and `dsu` only. */
  denoise: FileMethod<"denoise" | "dsu", "denoise">;
  /** List the recipes for `separate`: those that come with DSU, and your own in the folder `recipes_dir`. Of `dsu` only. */
  listRecipes: Method<"dsu", "list_recipes">;
}
