// What the page knows. All of it is the server's, except what is being prepared and how it looks.
import { computed, signal } from "@preact/signals";
import { get, jobPath, newKey, send, troubleOf, upload } from "./server/client";
import { listen } from "./server/events";
import { merged } from "./ranges";
import type { Diagnosis, Job, Models, Recipe, Schema, State, Status, Stretch, Trouble, Upload } from "./server/types";

export const jobs = signal<ReadonlyMap<string, Job>>(new Map());
export const loaded = signal(false);
export const connected = signal(true);
export const status = signal<Status | null>(null);
export const models = signal<Models>({ models: [], purposes: {} });
export const recipes = signal<Recipe[]>([]);
export const diagnosis = signal<Diagnosis | null>(null);
export const schema = signal<Schema>({});
export const chosenJob = signal<string | null>(null);

const ENDED: readonly State[] = ["done", "failed", "cancelled"];
export const hasEnded = (job: Job): boolean => ENDED.includes(job.state);
export const isDownload = (job: Job): boolean => /^(download|load)_model$/.test(job.cmd);

const rank = (job: Job): number => (job.state === "running" ? 0 : job.state === "queued" ? 1 : 2);

/** What runs, then the queue in its order, then what has ended, the newest first. */
export const listed = computed(() =>
  [...jobs.value.values()].sort((a, b) => rank(a) - rank(b) || (rank(a) === 1 ? (a.position ?? 0) - (b.position ?? 0) : (b.ended ?? b.created) - (a.ended ?? a.created))),
);
export const queued = computed(() => listed.value.filter((job) => job.state === "queued"));

// Notices ------------------------------------------------------------------------------------------------------------

export interface Notice {
  id: number;
  trouble: Trouble | null;
  text: string;
}

export const notices = signal<Notice[]>([]);
const NOTICE_MS = 6000;
let lastNotice = 0;

export function say(text: string): void {
  const notice = { id: ++lastNotice, trouble: null, text };
  notices.value = [...notices.value.slice(-3), notice];
  window.setTimeout(() => dismiss(notice.id), NOTICE_MS);
}

export function complain(reason: unknown): void {
  const trouble = troubleOf(reason);
  if (notices.value.some((notice) => notice.trouble?.message === trouble.message)) return;
  notices.value = [...notices.value.slice(-3), { id: ++lastNotice, trouble, text: trouble.message }];
}

export const dismiss = (id: number): void => void (notices.value = notices.value.filter((notice) => notice.id !== id));

/** Does what was asked for, and says so if it cannot be done. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (reason) {
    complain(reason);
    return undefined;
  }
}

// Jobs ---------------------------------------------------------------------------------------------------------------

/** The jobs that were told of since the list was asked for: what is known of them is newer than the list. */
let newer = new Set<string>();

function put(job: Job): void {
  newer.add(job.id);
  const before = jobs.value.get(job.id);
  const next = new Map(jobs.value).set(job.id, job);
  jobs.value = next;
  if (before && !hasEnded(before) && hasEnded(job) && isDownload(job) && job.state === "done") void attempt(readModels);
  if (before?.state === "running" && job.state === "done" && !isDownload(job)) {
    say(`“${job.title}” is done.`);
    void attempt(readModels); // it may have downloaded some
  }
}

function drop(id: string): void {
  newer.add(id);
  const next = new Map(jobs.value);
  next.delete(id);
  jobs.value = next;
  if (chosenJob.value === id) chosenJob.value = null;
}

/** Segments come oftener than jobs: they tell of what can be heard at once. */
function extend({ job: id, start, frames }: { job: string; start: number; frames: number }): void {
  const job = jobs.value.get(id);
  if (job) jobs.value = new Map(jobs.value).set(id, { ...job, ready: merged([...readyOf(job), [start, start + frames]]) });
}

export const framesOf = (job: Job): number => {
  const stem = job.stems[0];
  if (!stem) return 0;
  return stem.frames ?? Math.max(Math.round((job.duration_s ?? 0) * stem.sample_rate), readyOf(job).at(-1)?.[1] ?? 0);
};

export function readyOf(job: Job): Stretch[] {
  const stem = job.stems[0];
  if (!stem) return [];
  if (job.state === "done") return stem.frames ? [[0, stem.frames]] : [[0, stem.frames_ready]];
  return job.ready;
}

export function choose(id: string | null): void {
  chosenJob.value = id;
  history.replaceState(null, "", id ? `#${id}` : location.pathname);
}

export const cancel = (job: Job) => attempt(() => send("DELETE", jobPath(job.id)).then(() => hasEnded(job) && drop(job.id)));
export const retry = (job: Job) => attempt(() => send<Job>("POST", jobPath(job.id, "retry")).then((again) => again && put(again)));
export const move = (job: Job, position: number) => attempt(() => send<Job>("POST", jobPath(job.id, "move"), { position }).then(readJobs));

export async function startDownload(model: string): Promise<void> {
  await attempt(async () => {
    const job = await send<Job>("POST", `/v1/models/${encodeURIComponent(model)}/download`);
    if (job) put(job);
  });
}

// Songs that are being prepared ---------------------------------------------------------------------------------------

export interface Song {
  key: string;
  file: File;
  share: number; // of the upload
  upload: Upload | null;
  trouble: Trouble | null;
  stop: AbortController;
}

export const songs = signal<Song[]>([]);

const change = (key: string, part: Partial<Song>): void => void (songs.value = songs.value.map((song) => (song.key === key ? { ...song, ...part } : song)));
export const takeBack = (song: Song): void => {
  song.stop.abort();
  songs.value = songs.value.filter((one) => one.key !== song.key);
};

export function sendAgain(song: Song): void {
  takeBack(song);
  addSongs([song.file]);
}

let sending: Promise<void> = Promise.resolve();

/** Songs are sent one after another, so that the first can be worked on while the others come. */
export function addSongs(files: readonly File[]): void {
  const added = files.map((file): Song => ({ key: newKey(), file, share: 0, upload: null, trouble: null, stop: new AbortController() }));
  songs.value = [...songs.value, ...added];
  for (const song of added) sending = sending.then(() => sendSong(song));
}

async function sendSong(song: Song): Promise<void> {
  if (song.stop.signal.aborted) return;
  try {
    change(song.key, { upload: await upload(song.file, (share) => change(song.key, { share }), song.stop.signal), share: 1 });
  } catch (reason) {
    if (!song.stop.signal.aborted) change(song.key, { trouble: troubleOf(reason) });
  }
}

/** Starts a job for each song that has been sent; those keep their place here that could not be. */
export async function startJobs(request: Record<string, unknown>): Promise<void> {
  let first: string | null = null;
  for (const song of songs.value) {
    if (!song.upload) continue;
    const { id, name } = song.upload;
    const title = name.replace(/\.[^.]+$/, "");
    const job = await attempt(() => send<Job>("POST", "/v1/jobs", { input: { upload: id }, cmd: "separate", title, request }, song.key));
    if (!job) return;
    put(job);
    first ??= job.id;
    songs.value = songs.value.filter((one) => one.key !== song.key);
  }
  if (first) choose(first);
}

// The server ----------------------------------------------------------------------------------------------------------

async function readJobs(): Promise<void> {
  newer = new Set();
  const mine = newer;
  const found = await get<{ jobs: Job[] }>("/v1/jobs");
  const kept = [...jobs.value].filter(([id]) => mine.has(id));
  jobs.value = new Map([...found.jobs.filter(({ id }) => !mine.has(id)).map((job) => [job.id, job] as const), ...kept]);
  loaded.value = true;
}

async function readModels(): Promise<void> {
  const [known, cooked] = await Promise.all([get<Models>("/v1/models"), get<{ recipes: Recipe[] }>("/v1/recipes")]);
  models.value = { models: known.models, purposes: known.purposes ?? {} };
  recipes.value = cooked.recipes;
}

const readSchema = (): Promise<void> => get<Schema>("/v1/schema").then((found) => void (schema.value = found));
const readStatus = (): Promise<void> => get<Status>("/v1/status").then((now) => void (status.value = now));
const readDiagnosis = (): Promise<void> => get<Diagnosis | null>("/v1/doctor").then((last) => void (diagnosis.value = last));


const STATUS_EVERY_MS = 10000;

/** Begins to follow the server. */
export function follow(): void {
  listen(
    "/v1/events",
    { job: put as (data: never) => void, segment: extend as (data: never) => void, removed: (({ job }: { job: string }) => drop(job)) as (data: never) => void },
    (yes) => {
      connected.value = yes;
      if (yes) void Promise.all([readJobs(), readModels(), readSchema(), readStatus(), readDiagnosis()]).catch(complain);
    },
  );
  window.setInterval(() => {
    if (!document.hidden && connected.value) void readStatus().catch(() => {});
  }, STATUS_EVERY_MS);
}
