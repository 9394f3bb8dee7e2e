// Written by `python -m clients.node.generate_types` from the types in utils/core. Do not edit.

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

/** The worker answers commands now. */
export interface Ready {
  status: "ready";
  id?: string | number;
  warnings?: Array<string>;
  /** `cpu`, `cuda`, `cuda:N` or `mps`. */
  device: string;
  /** CPU threads in use: the physical cores, or what was asked for. */
  threads: number;
  cache_enabled: boolean;
  max_cached_models: number;
  models_dir: string;
  version: string;
  protocol: number;
}

/** The last line when the worker goes for another reason. */
export interface Shutdown {
  status: "shutdown";
  id?: string | number;
  warnings?: Array<string>;
  /** `SIGTERM`, `SIGINT`, `SIGBREAK`, `SIGHUP`, `parent_died` or `output_closed`. */
  detail: string;
  reason: string;
}

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
}

/** One file of `inputs` is finished, well or badly. */
export interface FileDone {
  status: "file_done";
  id?: string | number;
  warnings?: Array<string>;
  input: string;
  index: number;
  ok: boolean;
  output_dir?: string;
  files?: Array<string>;
  stems?: Array<string>;
  paths?: Record<string, string>;
  error?: Record<string, string>;
  /** With `resume`: nothing was to be done. */
  skipped?: boolean;
  model?: string;
  /** Seconds spent on this file now. */
  elapsed?: number;
}

export interface LoadingModel {
  status: "loading_model";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
}

export interface PreloadingModel {
  status: "preloading_model";
  id?: string | number;
  warnings?: Array<string>;
  model: string;
}

export interface Progress {
  status: "progress";
  id?: string | number;
  warnings?: Array<string>;
  percent: number;
  stage: string;
  /** Seconds left, as far as can be told. */
  eta: number | null;
  /** Of many files or jobs: the one at work, from 0. */
  index?: number;
  /** How many there are. */
  count?: number;
  /** How far the one at work is. */
  part_percent?: number;
  /** What is done to it. */
  part_stage?: string;
}

export interface Restoring {
  status: "restoring";
  id?: string | number;
  warnings?: Array<string>;
  /** The file's name. */
  input: string;
}

export interface Separating {
  status: "separating";
  id?: string | number;
  warnings?: Array<string>;
  /** The file's name. */
  input: string;
}

/** Is the worker alive, and which model is active? */
export interface Ping {
  cmd: "ping";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
}

export interface Pong {
  status: "pong";
  id?: string | number;
  warnings?: Array<string>;
  model_loaded: string | null;
  /** dsu-audio-separator: what separates. */
  separator_model?: string | null;
  /** dsu-audio-separator: what restores. */
  apollo_model?: string | null;
}

/** A request failed. The worker is as able as before. */
export interface ErrorReply {
  status: "error";
  id?: string | number;
  warnings?: Array<string>;
  message: string;
  code: string;
  hint?: string;
  suggestions?: Array<string>;
  field?: string;
  traceback?: string;
}

/** Device, queue, cache, memory and counters. */
export interface GetStatus {
  cmd: "get_status";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
}

export interface Status {
  status: "status";
  id?: string | number;
  warnings?: Array<string>;
  model_loaded: string | null;
  device: string;
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
}

export interface Memory {
  rss_mb: number;
  device_allocated_mb: number | null;
  device_free_mb: number | null;
}

/** Cancel the running job; with `id`, the job that carries this id, running or queued. */
export interface Cancel {
  cmd: "cancel";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
}

/** Answers `cancel` itself. */
export interface CancelRequested {
  status: "cancel_requested";
  id?: string | number;
  warnings?: Array<string>;
  found: boolean;
}

/** The protocol of this worker as JSON Schemas. */
export interface Describe {
  cmd: "describe";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
}

export interface Description {
  status: "description";
  id?: string | number;
  warnings?: Array<string>;
  protocol: number;
  worker: string;
  version: string;
  /** Command name to its request and response schemas. */
  commands: Record<string, unknown>;
  /** Status name to the schema of the lines jobs send meanwhile. */
  events: Record<string, unknown>;
  /** What the schemas refer to. */
  definitions: Record<string, unknown>;
}

/** End the worker after the jobs before this command. */
export interface Exit {
  cmd: "exit";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** Cancel the running and the queued jobs first. */
  force?: boolean;
}

/** The last line after `exit`. */
export interface Exiting {
  status: "exiting";
  id?: string | number;
  warnings?: Array<string>;
}

/** The names of all models that this worker knows or finds. */
export interface DemucsListModels {
  cmd: "list_models";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** Also describe each model. */
  details?: boolean;
  /** Only this one, also a network of a bag by its signature. */
  model?: string | null;
  /** List the models of this folder as well. */
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
}

/** Load a model and make it the active one. */
export interface DemucsLoad {
  cmd: "load_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** A folder of local models. */
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

/** A job was cancelled. It left no file but those of its parts that were finished. */
export interface Cancelled {
  status: "cancelled";
  id?: string | number;
  warnings?: Array<string>;
  message: string;
  /** Of many files or jobs: what was answered until then. */
  results?: Array<Record<string, unknown>>;
}

/** Load a model without making it the active one. */
export interface DemucsPreload {
  cmd: "preload_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** A folder of local models. */
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

/** Fetch a model's files into the models directory and check their size and SHA-256. */
export interface DownloadModel {
  cmd: "download_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name. */
  model: string;
}

/** `path`, `size_bytes` and `sha256` are those of the first file; `files` holds all of a bag's. */
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

/** Separate one file (`input`) or many (`inputs`) into `OUT/MODEL/TRACK/STEM.wav`. */
export interface DemucsSeparate {
  cmd: "separate";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The audio file. */
  input?: string | null;
  /** Many files or folders: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** The directory to write to. */
  output?: string | null;
  /** Another name of `output`. */
  output_dir?: string | null;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** The format of the stems. */
  format?: "aiff" | "flac" | "m4a" | "mp3" | "ogg" | "opus" | "wav";
  /** The sample type; default `PCM_16`. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** Another name of `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** kbit/s of lossy formats. */
  bitrate?: number | null;
  /** Write just these stems. */
  stems?: Array<string> | null;
  /** Write this stem and `no_STEM`, everything else. */
  two_stems?: string | null;
  /** A rate in Hz or `source` for the input's; default the model's. */
  output_sample_rate?: number | "source" | null;
  /** Where stems would exceed full scale: `rescale` all by one gain, `clamp` samples, `none`. */
  clip?: "clamp" | "none" | "rescale";
  /** Replace files that exist; otherwise they are an error. */
  overwrite?: boolean;
  /** Do not do again what an earlier job with `resume` has done and nothing has changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png`: waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Chunks run together. */
  batch_size?: number | null;
  /** The arithmetic of the network. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Makes random shifts repeatable; default 0. */
  seed?: number;
  /** Separate only a part. */
  preview?: Preview | null;
  /** File names from `{track} {stem} {model} {index}`; `/` makes folders. */
  name_template?: string | null;
  /** Random time shifts to average over; default 1, 0 for quantised bags. */
  shifts?: number | null;
  /** Overlap of neighbouring segments, as a part of one. */
  overlap?: number;
  /** Length of a segment in seconds; default the model's. */
  segment?: number | null;
  /** Another name of `segment`. */
  segments?: number | null;
  /** CPU: segments run at the same time, each by its own thread. */
  jobs?: number;
  /** A folder of local models: `.th` files and bag `.yaml` files. */
  repo?: string | null;
  /** How `two_stems` makes the rest: mix `minus` the stem, `add` the other stems, or `none`. */
  other_method?: "add" | "minus" | "none";
}

/** A part of the input, in seconds. */
export interface Preview {
  /** Where the part begins. */
  start?: number;
  /** How long it is. */
  duration?: number;
}

/** A separation succeeded. `warnings` is always there. */
export interface Done {
  status: "done";
  id?: string | number;
  warnings: Array<string>;
  /** Seconds the separation itself took. */
  elapsed: number;
  output_dir: string;
  /** Names inside `output_dir`. */
  files: Array<string>;
  stems: Array<string>;
  /** Absolute path of each stem. */
  paths: Record<string, string>;
  /** Seconds of audio. */
  duration: number;
  /** Times realtime. */
  speed: number;
  sample_rate: number;
  model: string;
  device: string;
  model_from_cache: boolean;
  timing: Timing;
  /** The one gain applied to all stems against clipping; 1 if none. */
  gain: number;
  /** The numbers that were used: shifts, overlap, … */
  settings: Record<string, unknown>;
  /** Absolute path of the picture, where one was asked for. */
  report?: string;
  /** With `resume`: nothing was to be done. All else is as it was answered then. */
  skipped?: boolean;
}

/** Seconds spent on each part. */
export interface Timing {
  load: number;
  decode: number;
  infer: number;
  encode: number;
}

/** `separate` with `inputs` ended; at least one file succeeded. */
export interface ManyDone {
  status: "done";
  id?: string | number;
  warnings?: Array<string>;
  elapsed: number;
  /** The `done` or `error` of each file, in order. */
  results: Array<Record<string, unknown>>;
  succeeded: number;
  failed: number;
  /** How many of those that succeeded were there already. */
  skipped: number;
  /** Absolute paths of everything written. */
  files: Array<string>;
}

/** The models that are loaded. */
export interface ListCached {
  cmd: "list_cached";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
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
}

/** Drop every loaded model. A running job keeps its own until it ends. */
export interface ClearCache {
  cmd: "clear_cache";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
}

export interface CacheCleared {
  status: "cache_cleared";
  id?: string | number;
  warnings?: Array<string>;
  models_cleared: number;
}

/** How many models stay loaded. 0 turns the cache off. */
export interface SetCacheSize {
  cmd: "set_cache_size";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The number of models. */
  n?: number | null;
  /** Another name of `n`. */
  max_cached_models?: number | null;
}

export interface CacheSizeUpdated {
  status: "cache_size_updated";
  id?: string | number;
  warnings?: Array<string>;
  max_cached_models: number;
  cache_enabled: boolean;
}

/** Say what kind of disk holds the models: checkpoints on an `ssd` are mapped, on an `hdd` read in one go. */
export interface SetStorageType {
  cmd: "set_storage_type";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The kind of disk. */
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

/** Run jobs in order and answer once. A job's `input` may be `{"from": INDEX, "stem": NAME}` of an earlier result. */
export interface Batch {
  cmd: "batch";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The jobs, each as if sent alone. */
  jobs: Array<object>;
  /** Go on after a job that failed. */
  continue_on_error?: boolean;
  /** Run jobs of one model together; results keep their order. */
  group_by_model?: boolean;
  /** The same as `resume` in every job that does not say otherwise. */
  resume?: boolean;
  /** Send `progress` lines of the whole. */
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

/** A job of a batch failed. `results` holds what was answered until then. */
export interface BatchFailed {
  status: "error";
  id?: string | number;
  warnings?: Array<string>;
  results: Array<Record<string, unknown>>;
  message: string;
  code: string;
  elapsed: number;
}

/** The names of all models that this worker knows or finds. */
export interface ListModels {
  cmd: "list_models";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** Also describe each model. */
  details?: boolean;
  /** Only this one, also a network of a bag by its signature. */
  model?: string | null;
}

/** Load a model and make it the active one. */
export interface NetworkLoad {
  cmd: "load_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the one loaded last. */
  model?: string | null;
  /** The checkpoint of a network of your own, instead of `model`. */
  model_path?: string | null;
  /** The YAML configuration that belongs to `model_path`. */
  config_path?: string | null;
  /** The kind of network in `model_path`; without it, the configuration or the checkpoint tells. */
  model_type?: string | null;
}

/** Load a model without making it the active one. */
export interface NetworkPreload {
  cmd: "preload_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the one loaded last. */
  model?: string | null;
  /** The checkpoint of a network of your own, instead of `model`. */
  model_path?: string | null;
  /** The YAML configuration that belongs to `model_path`. */
  config_path?: string | null;
  /** The kind of network in `model_path`; without it, the configuration or the checkpoint tells. */
  model_type?: string | null;
}

/** Separate one file (`input`) or many (`inputs`) into `OUT/TRACK/STEM.wav`. */
export interface NetworkSeparate {
  cmd: "separate";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The audio file. */
  input?: string | null;
  /** Many files or folders: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** The directory to write to. */
  output?: string | null;
  /** Another name of `output`. */
  output_dir?: string | null;
  /** The model's name; without it, the one loaded last. */
  model?: string | null;
  /** The format of the stems. */
  format?: "aiff" | "flac" | "m4a" | "mp3" | "ogg" | "opus" | "wav";
  /** The sample type; default `PCM_16`. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** Another name of `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** kbit/s of lossy formats. */
  bitrate?: number | null;
  /** Write just these stems. */
  stems?: Array<string> | null;
  /** Write this stem and `no_STEM`, everything else. */
  two_stems?: string | null;
  /** A rate in Hz or `source` for the input's; default the model's. */
  output_sample_rate?: number | "source" | null;
  /** Where stems would exceed full scale: `rescale` all by one gain, `clamp` samples, `none`. */
  clip?: "clamp" | "none" | "rescale";
  /** Replace files that exist; otherwise they are an error. */
  overwrite?: boolean;
  /** Do not do again what an earlier job with `resume` has done and nothing has changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png`: waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Chunks run together. */
  batch_size?: number | null;
  /** The arithmetic of the network. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Makes random shifts repeatable; default 0. */
  seed?: number;
  /** Separate only a part. */
  preview?: Preview | null;
  /** File names from `{track} {stem} {model} {index}`; `/` makes folders. */
  name_template?: string | null;
  /** The checkpoint of a network of your own, instead of `model`. */
  model_path?: string | null;
  /** The YAML configuration that belongs to `model_path`. */
  config_path?: string | null;
  /** The kind of network in `model_path`; without it, the configuration or the checkpoint tells. */
  model_type?: string | null;
  /** A preset of `overlap` and `use_tta`, which count where they are given as well. */
  quality?: "balanced" | "best" | "fast" | null;
  /** How many windows cover each sample; default 1, without seams. */
  overlap?: number | null;
  /** Another name of `overlap`. */
  num_overlap?: number | null;
  /** Length of a window; default the configuration's. */
  chunk_seconds?: number | null;
  /** Accepted; there is one way, and it is the fast one. */
  use_fast?: boolean;
  /** Also separate with swapped channels and with inverted polarity, and average: 3 times the work. */
  use_tta?: boolean | null;
  /** Also write `instrumental`: the mix minus the vocals, sample for sample. */
  extract_instrumental?: boolean;
  /** Several networks instead of `model`: names, or files. */
  ensemble?: Array<string | NetworkMember> | null;
  /** How the members' results become one, over the waveform or the spectrogram. */
  ensemble_type?: "avg_fft" | "avg_wave" | "max_fft" | "max_wave" | "median_fft" | "median_wave" | "min_fft" | "min_wave";
  /** How much each member counts in an average. */
  ensemble_weights?: Array<number> | null;
}

/** A network of your own as a member of an ensemble. */
export interface NetworkMember {
  /** The checkpoint. */
  model_path: string;
  /** Its YAML configuration. */
  config_path: string;
  /** The kind of network in `model_path`; without it, the configuration or the checkpoint tells. */
  model_type?: string | null;
}

/** Load a VR or MDX model and make it the active one. */
export interface AudioSeparatorLoad {
  cmd: "load_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** The directory of the model's file; default the models directory. */
  model_file_dir?: string | null;
}

/** Load a VR or MDX model without making it the active one. */
export interface AudioSeparatorPreload {
  cmd: "preload_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** The directory of the model's file; default the models directory. */
  model_file_dir?: string | null;
}

/** Separate one file (`input`) or many (`inputs`) into `OUT/TRACK_(Stem).wav`. */
export interface AudioSeparatorSeparate {
  cmd: "separate";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The audio file. */
  input?: string | null;
  /** Many files or folders: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** The directory to write to. */
  output?: string | null;
  /** Another name of `output`. */
  output_dir?: string | null;
  /** The model's file name, or its path; without it, the one loaded last. */
  model?: string | null;
  /** The format of the stems. */
  format?: "aiff" | "flac" | "m4a" | "mp3" | "ogg" | "opus" | "wav";
  /** The sample type; default `PCM_16`. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** Another name of `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** kbit/s of lossy formats. */
  bitrate?: number | null;
  /** Write just these stems. */
  stems?: Array<string> | null;
  /** Write this stem and `no_STEM`, everything else. */
  two_stems?: string | null;
  /** A rate in Hz or `source` for the input's; default the model's. */
  output_sample_rate?: number | "source" | null;
  /** Where stems would exceed full scale: `rescale` all by one gain, `clamp` samples, `none`. */
  clip?: "clamp" | "none" | "rescale";
  /** Replace files that exist; otherwise they are an error. */
  overwrite?: boolean;
  /** Do not do again what an earlier job with `resume` has done and nothing has changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png`: waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Chunks run together. */
  batch_size?: number | null;
  /** The arithmetic of the network. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Makes random shifts repeatable; default 0. */
  seed?: number;
  /** Separate only a part. */
  preview?: Preview | null;
  /** File names from `{track} {stem} {model} {index}`; `/` makes folders. */
  name_template?: string | null;
  /** The directory of the model's file; default the models directory. */
  model_file_dir?: string | null;
  /** Write just this stem. */
  single_stem?: string | null;
  /** MDX: take the stem out of the mix bin by bin of a spectrum, not sample by sample. */
  invert_spect?: boolean;
  /** VR: how hard the primary stem is cut out; typically 5. */
  vr_aggression?: number;
  /** VR: look at the song twice; twice the work. */
  vr_enable_tta?: boolean;
  /** VR: mirror the range that the network sees into the one above it. */
  vr_high_end_process?: boolean;
  /** VR: give back to the primary stem's rest what was cut out where hardly anything was. */
  vr_post_process?: boolean;
  /** VR: how little counts as hardly anything. */
  vr_post_process_threshold?: number;
  /** VR: frames seen at once; 320 is slower and a little better than 512. */
  vr_window_size?: number;
  /** MDX: frames seen at once; default the model's. */
  mdx_segment_size?: number | null;
  /** MDX: overlap of neighbouring chunks, as a part of one. */
  mdx_overlap?: number;
  /** MDX: run the network twice, so that its own noise cancels; twice the work. */
  mdx_enable_denoise?: boolean;
  /** Of a file that is not known: what its network gives. */
  primary_stem?: string | null;
  /** Of a file that is not known: what is left. */
  secondary_stem?: string | null;
  /** Of a VR file that is not known: its bands, by name (`4band_v3`) or as an object. */
  vr_model_param?: string | object | null;
  /** Of a VR file of version 5.1 that is not known: its capacity. */
  nout?: number | null;
  /** The same of its recurrent part. */
  nout_lstm?: number | null;
  /** Of an MDX file that is not known: the size of its transform. */
  mdx_n_fft_scale_set?: number | null;
  /** Its bins. */
  mdx_dim_f_set?: number | null;
  /** Its frames, as a power of 2. */
  mdx_dim_t_set?: number | null;
  /** By how much its stem is made louder before it is subtracted. */
  compensate?: number | null;
}

/** Restore a file that lossy compression has damaged, into the file `output`, or into the directory `output_dir`. */
export interface Apollo {
  cmd: "apollo";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The audio file. */
  input?: string | null;
  /** Many files or folders: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** The file to write; its extension says the format. */
  output?: string | null;
  /** Instead of `output`: the directory to write `TRACK_(STEM).wav` to. */
  output_dir?: string | null;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** The format of the stems. */
  format?: "aiff" | "flac" | "m4a" | "mp3" | "ogg" | "opus" | "wav";
  /** The sample type; default `PCM_16`. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** Another name of `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** kbit/s of lossy formats. */
  bitrate?: number | null;
  /** Write just these stems. */
  stems?: Array<string> | null;
  /** Write this stem and `no_STEM`, everything else. */
  two_stems?: string | null;
  /** A rate in Hz or `source` for the input's; default the model's. */
  output_sample_rate?: number | "source" | null;
  /** Where stems would exceed full scale: `rescale` all by one gain, `clamp` samples, `none`. */
  clip?: "clamp" | "none" | "rescale";
  /** Replace files that exist; otherwise they are an error. */
  overwrite?: boolean;
  /** Do not do again what an earlier job with `resume` has done and nothing has changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png`: waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Chunks run together. */
  batch_size?: number | null;
  /** The arithmetic of the network. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Makes random shifts repeatable; default 0. */
  seed?: number;
  /** Separate only a part. */
  preview?: Preview | null;
  /** File names from `{track} {stem} {model} {index}`; `/` makes folders. */
  name_template?: string | null;
  /** The checkpoint of a network of your own, instead of `model`. */
  model_path?: string | null;
  /** The YAML configuration that belongs to `model_path`. */
  config_path?: string | null;
  /** The width of the network; without it, the configuration or the checkpoint tells. */
  feature_dim?: number | null;
  /** Its layers; without it, the configuration or the checkpoint tells. */
  layer?: number | null;
  /** Length of the parts that are restored at once. */
  chunk_seconds?: number;
  /** Seconds over which parts are cross-faded. */
  chunk_overlap?: number;
  /** Also write `addition`: what the restoration has added. */
  addition?: boolean;
}

/** A restoration succeeded. `files` holds absolute paths. */
export interface Restored {
  status: "done";
  id?: string | number;
  warnings: Array<string>;
  /** Seconds the separation itself took. */
  elapsed: number;
  output_dir: string;
  /** Names inside `output_dir`. */
  files: Array<string>;
  stems: Array<string>;
  /** Absolute path of each stem. */
  paths: Record<string, string>;
  /** Seconds of audio. */
  duration: number;
  /** Times realtime. */
  speed: number;
  sample_rate: number;
  model: string;
  device: string;
  model_from_cache: boolean;
  timing: Timing;
  /** The one gain applied to all stems against clipping; 1 if none. */
  gain: number;
  /** The numbers that were used: shifts, overlap, … */
  settings: Record<string, unknown>;
  /** Absolute path of the picture, where one was asked for. */
  report?: string;
  /** With `resume`: nothing was to be done. All else is as it was answered then. */
  skipped?: boolean;
  /** The network was loaded already. */
  cached: boolean;
}

/** Load an Apollo network, so that the first `apollo` need not. */
export interface LoadApollo {
  cmd: "load_apollo";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** The checkpoint of a network of your own, instead of `model`. */
  model_path?: string | null;
  /** The YAML configuration that belongs to `model_path`. */
  config_path?: string | null;
  /** The width of the network; without it, the configuration or the checkpoint tells. */
  feature_dim?: number | null;
  /** Its layers; without it, the configuration or the checkpoint tells. */
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

/** Load a model and make it the active one. Without any field that is `audiosep_base`. */
export interface AudioSepLoad {
  cmd: "load_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** The YAML configuration of the network; default the public model's. */
  config_path?: string | null;
  /** The network that separates; default the model's file in the models directory. */
  checkpoint_path?: string | null;
  /** The CLAP checkpoint, of which the text part is read; default the one in the models directory. */
  clap_checkpoint_path?: string | null;
  /** The folder of roberta-base, with its vocabulary; default the one in the models directory. */
  roberta_dir?: string | null;
  /** Where it is to run: what the worker was started with, or `auto`. */
  device?: string | null;
  /** Map the checkpoint instead of reading it; default as `set_storage_type` says. */
  mmap?: boolean | null;
  /** Accepted; the transform always runs on the device. */
  use_torch_stft?: boolean | string | null;
  /** Accepted, for the same reason. */
  auto_stft_seconds?: number | null;
}

/** Load a model without making it the active one. */
export interface AudioSepPreload {
  cmd: "preload_model";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The model's name; without it, the worker's default. */
  model?: string | null;
  /** The YAML configuration of the network; default the public model's. */
  config_path?: string | null;
  /** The network that separates; default the model's file in the models directory. */
  checkpoint_path?: string | null;
  /** The CLAP checkpoint, of which the text part is read; default the one in the models directory. */
  clap_checkpoint_path?: string | null;
  /** The folder of roberta-base, with its vocabulary; default the one in the models directory. */
  roberta_dir?: string | null;
  /** Where it is to run: what the worker was started with, or `auto`. */
  device?: string | null;
  /** Map the checkpoint instead of reading it; default as `set_storage_type` says. */
  mmap?: boolean | null;
  /** Accepted; the transform always runs on the device. */
  use_torch_stft?: boolean | string | null;
  /** Accepted, for the same reason. */
  auto_stft_seconds?: number | null;
}

/** Separate what a text describes, into the file `output`, or into the directory `output_dir`. */
export interface AudioSepSeparate {
  cmd: "separate";
  /** Repeated on every line that this request causes. Nothing is added without it. */
  id?: string | number | null;
  /** Fail on unknown fields instead of warning about them. */
  strict?: boolean;
  /** Add a traceback to an error. */
  debug?: boolean;
  /** The audio file. */
  input?: string | null;
  /** Many files or folders: one `file_done` line for each file, then `done`. */
  inputs?: Array<string> | null;
  /** The file to write; its extension says the format. */
  output?: string | null;
  /** Instead of `output`: the directory to write `TRACK_(STEM).wav` to. */
  output_dir?: string | null;
  /** The model's name; without it, the one loaded last, or `audiosep_base`. */
  model?: string | null;
  /** The format of the stems. */
  format?: "aiff" | "flac" | "m4a" | "mp3" | "ogg" | "opus" | "wav";
  /** The sample type; default `PCM_16`. */
  pcm_type?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** Another name of `pcm_type`. */
  subtype?: "FLOAT" | "PCM_16" | "PCM_24" | "PCM_32" | null;
  /** kbit/s of lossy formats. */
  bitrate?: number | null;
  /** Write just these stems. */
  stems?: Array<string> | null;
  /** Write this stem and `no_STEM`, everything else. */
  two_stems?: string | null;
  /** A rate in Hz; default the song's, also when it is higher than the network's 32 kHz. */
  output_sample_rate?: number | "source" | null;
  /** Where stems would exceed full scale: `rescale` all by one gain, `clamp` samples, `none`. */
  clip?: "clamp" | "none" | "rescale";
  /** Replace files that exist; otherwise they are an error. */
  overwrite?: boolean;
  /** Do not do again what an earlier job with `resume` has done and nothing has changed since. */
  resume?: boolean;
  /** Send `progress` lines. */
  progress?: boolean;
  /** Also write `report.png`: waveforms and spectrograms of the mix and the stems. */
  report?: boolean;
  /** Chunks run together. */
  batch_size?: number | null;
  /** The arithmetic of the network. */
  precision?: "auto" | "bf16" | "fp16" | "fp32";
  /** Makes random shifts repeatable; default 0. */
  seed?: number;
  /** Separate only a part. */
  preview?: Preview | null;
  /** File names from `{track} {stem} {model} {index}`; `/` makes folders. */
  name_template?: string | null;
  /** What to separate, in English words. */
  text?: string | null;
  /** Several of them at once, a file for each. */
  texts?: Array<string> | null;
  /** Also write `residual`: the song without all that was separated. */
  residual?: boolean;
  /** Run a long song in parts (`auto`, true), or in few long ones (false); the result is the same. */
  use_chunk?: boolean | "auto";
  /** Length of the parts; default 10. */
  chunk_seconds?: number | null;
  /** The YAML configuration of the network; default the public model's. */
  config_path?: string | null;
  /** The network that separates; default the model's file in the models directory. */
  checkpoint_path?: string | null;
  /** The CLAP checkpoint, of which the text part is read; default the one in the models directory. */
  clap_checkpoint_path?: string | null;
  /** The folder of roberta-base, with its vocabulary; default the one in the models directory. */
  roberta_dir?: string | null;
}

/** What a text describes was separated. Stems are called as the texts. */
export interface AudioSepDone {
  status: "done";
  id?: string | number;
  warnings: Array<string>;
  /** Seconds the separation itself took. */
  elapsed: number;
  output_dir: string;
  /** Absolute paths. */
  files: Array<string>;
  stems: Array<string>;
  /** Absolute path of each stem. */
  paths: Record<string, string>;
  /** Seconds of audio. */
  duration: number;
  /** Times realtime. */
  speed: number;
  sample_rate: number;
  model: string;
  device: string;
  model_from_cache: boolean;
  timing: Timing;
  /** The one gain applied to all stems against clipping; 1 if none. */
  gain: number;
  /** The numbers that were used: shifts, overlap, … */
  settings: Record<string, unknown>;
  /** Absolute path of the picture, where one was asked for. */
  report?: string;
  /** With `resume`: nothing was to be done. All else is as it was answered then. */
  skipped?: boolean;
}

/** What a worker says of an error. */
export type WorkerErrorCode = "invalid_request" | "invalid_json" | "unknown_command" | "busy" | "unknown_model" | "model_not_installed" | "config_invalid" | "checkpoint_invalid" | "checkpoint_unsafe" | "checkpoint_mismatch" | "download_failed" | "checksum_mismatch" | "input_unreadable" | "input_not_found" | "input_empty" | "output_not_writable" | "unsupported_format" | "disk_full" | "device_unavailable" | "out_of_memory" | "internal";

/** Any line of a worker. */
export type Line = Loading | Ready | Shutdown | Downloading | FileDone | LoadingModel | PreloadingModel | Progress | Restoring | Separating | Pong | ErrorReply | Status | CancelRequested | Description | Exiting | Models | ModelLoaded | Cancelled | ModelPreloaded | ModelDownloaded | Done | ManyDone | CachedModels | CacheCleared | CacheSizeUpdated | StorageConfigured | BatchDone | BatchFailed | Restored | ApolloLoaded | AudioSepDone;

/** The commands of each worker. */
export interface WorkerCommands {
  "demucs": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: DemucsListModels; reply: Models; event: never };
    load_model: { request: DemucsLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: DemucsPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: DemucsSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | FileDone | PreloadingModel };
  };
  "bsroformer": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: NetworkLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: NetworkPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: NetworkSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | FileDone | PreloadingModel };
  };
  "audio-separator": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: AudioSeparatorLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: AudioSeparatorPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: AudioSeparatorSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | FileDone };
    apollo: { request: Apollo; reply: Restored | ManyDone; event: LoadingModel | Downloading | Separating | Progress | FileDone | Restoring };
    load_apollo: { request: LoadApollo; reply: ApolloLoaded; event: LoadingModel | Downloading };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | FileDone | PreloadingModel };
  };
  "audiosep": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: AudioSepLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: AudioSepPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: AudioSepSeparate; reply: AudioSepDone | ManyDone; event: LoadingModel | Downloading | Separating | Progress | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | FileDone | PreloadingModel };
  };
  "dsu": {
    ping: { request: Ping; reply: Pong; event: never };
    get_status: { request: GetStatus; reply: Status; event: never };
    cancel: { request: Cancel; reply: CancelRequested; event: never };
    describe: { request: Describe; reply: Description; event: never };
    exit: { request: Exit; reply: Exiting; event: never };
    list_models: { request: ListModels; reply: Models; event: never };
    load_model: { request: NetworkLoad; reply: ModelLoaded; event: LoadingModel | Downloading };
    preload_model: { request: NetworkPreload; reply: ModelPreloaded; event: PreloadingModel | Downloading };
    download_model: { request: DownloadModel; reply: ModelDownloaded; event: Downloading };
    separate: { request: NetworkSeparate; reply: Done | ManyDone; event: LoadingModel | Downloading | Separating | Progress | FileDone };
    list_cached: { request: ListCached; reply: CachedModels; event: never };
    clear_cache: { request: ClearCache; reply: CacheCleared; event: never };
    set_cache_size: { request: SetCacheSize; reply: CacheSizeUpdated; event: never };
    set_storage_type: { request: SetStorageType; reply: StorageConfigured; event: never };
    batch: { request: Batch; reply: BatchDone | BatchFailed; event: LoadingModel | Downloading | Separating | Progress | FileDone | PreloadingModel };
  };
}
