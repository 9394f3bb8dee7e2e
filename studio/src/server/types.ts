// What the server sends, as far as the page reads it. Fields that it does not know do not disturb it.

export interface Trouble {
  code: string;
  message: string;
  hint?: string | null;
  field?: string | null;
}

export type State = "queued" | "running" | "done" | "failed" | "cancelled";
export type Stretch = [start: number, stop: number];

export interface Stem {
  name: string;
  frames: number | null;
  sample_rate: number;
  channels: number;
  frames_ready: number;
}

export interface Job {
  id: string;
  state: State;
  title: string;
  cmd: string;
  position: number | null;
  percent: number;
  stage: string | null;
  eta: number | null;
  created: number;
  started: number | null;
  ended: number | null;
  request: Record<string, unknown>;
  settings: Record<string, unknown> | null;
  stems: Stem[];
  ready: Stretch[];
  duration_s: number | null;
  movable: boolean;
  warnings: string[];
  error: Trouble | null;
  size_bytes: number | null;
}

export interface Upload {
  id: string;
  name: string;
  size_bytes: number;
  duration_s: number | null;
}

export type Tier = "fast" | "good" | "best";

export interface Model {
  name: string;
  family: string;
  description: string;
  stems: string[];
  size_bytes: number | null;
  license: string | null;
  commercial_use?: boolean | null;
  installed: boolean;
  downloadable?: boolean;
  speed?: string;
  author?: string;
  purposes: string[];
  recommended?: Record<string, Tier>;
}

export interface Models {
  models: Model[];
  purposes: Record<string, string>;
}

export interface RecipeModel {
  model: string;
  installed: boolean;
  size_bytes: number | null;
  license: string | null;
}

export interface Recipe {
  name: string;
  description: string;
  steps: string[];
  stems: string[];
  models: RecipeModel[];
  installed: boolean;
  commercial: boolean;
}

export type RecipeDocument = {
  steps?: Record<string, Record<string, unknown>> | ({ name: string } & Record<string, unknown>)[];
  outputs?: Record<string, string | { from: string }>;
};

export interface WholeRecipe extends Recipe {
  text: string;
  document: RecipeDocument;
}

export type Verdict =
  | { ok: true; recipe: Recipe; document: RecipeDocument }
  | { ok: false; error: Trouble & { line?: number | null } };

export interface Status {
  version: string;
  device: string;
  precision?: string;
  threads?: number;
  memory?: { rss_mb?: number | null; device_allocated_mb?: number | null; device_free_mb?: number | null };
  models_dir?: string;
  cached_models?: (string | { model?: string; name?: string })[];
  max_cache_size?: number;
  formats?: Record<string, string[]>; // of exports, with their sample types
  disk?: { used_bytes: number; limit_bytes?: number | null };
  loopback?: boolean; // whether the server can open a folder for whoever sits before it
}

export interface Finding {
  check: string;
  state: string;
  message: string;
  hint?: string | null;
}

export interface Diagnosis {
  healthy: boolean;
  system?: string;
  findings: Finding[];
  devices?: { device: string; name?: string; findings?: Finding[] }[];
}

export interface Schema {
  title?: string;
  description?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  families?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
  $ref?: string;
}
