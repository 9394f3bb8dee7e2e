// A stand-in for the server of the studio: the same addresses, sounds made of sines, and jobs that only take their time.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const DIST = path.join(here, "..", "dist");
export const RATE = 44100;
const SEGMENT = RATE * 4;
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
export const CSP =
  "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const MODELS = [
  ["becruily_deux", "networks", ["Vocals", "Instrumental"], 435e6, "CC-BY-NC-4.0", false, { vocals: "best" }, "Vocals and instrumental from one network."],
  ["resurrection_vocals", "networks", ["vocals"], 204e6, null, false, { vocals: "good" }, "Small but accurate."],
  ["UVR-MDX-NET-Voc_FT.onnx", "audio-separator", ["Vocals", "Instrumental"], 67e6, "MIT", true, { vocals: "fast" }, "Vocals, quickly."],
  ["htdemucs", "demucs", ["drums", "bass", "other", "vocals"], 84e6, "MIT", true, { stems: "fast" }, "Hybrid Transformer Demucs v4."],
  ["htdemucs_ft", "demucs", ["drums", "bass", "other", "vocals"], 337e6, "MIT", false, { stems: "good" }, "The same, fine-tuned for each stem."],
  ["scnet_xl_ihf", "networks", ["drums", "bass", "other", "vocals"], 214e6, null, false, { stems: "best" }, "The strongest public SCNet."],
  ["dsu_mini", "networks", ["drums", "bass", "other", "vocals"], 5.4e6, "MIT", true, {}, "Four stems; small and fast; comes with DSU."],
  ["apollo", "apollo", ["restored"], 67e6, "CC-BY-SA-4.0", false, { restore: "fast" }, "Restores music after lossy compression."],
  ["audiosep_base", "audiosep", ["query"], null, "MIT", false, { anything: "good" }, "Whatever a text describes."],
].map(([name, family, stems, size_bytes, license, installed, recommended, description]) => ({
  name, family, stems, size_bytes, license, installed, recommended, description,
  downloadable: true, commercial_use: license === "MIT", speed: "medium",
  purposes: Object.keys(recommended).length ? Object.keys(recommended) : ["stems", "vocals"],
}));
const PURPOSES = {
  vocals: "the singing, without the music", stems: "drums, bass, vocals and the rest", restore: "what MP3 has removed, put back",
  anything: "whatever a text describes", crowd: "the audience, from a concert",
};
const MINI = `description: Voice, drums, bass and the rest with the built-in model, so that they sum to the mix.
steps:
  band: {model: dsu_mini}
  left: {residual: [band.vocals, band.drums, band.bass]}
outputs:
  vocals: band.vocals
  drums: band.drums
  bass: band.bass
  other: left
sums_to_mix: true
`;
const MINI_DOCUMENT = {
  steps: { band: { model: "dsu_mini" }, left: { residual: ["band.vocals", "band.drums", "band.bass"] } },
  outputs: { vocals: "band.vocals", drums: "band.drums", bass: "band.bass", other: "left" },
};
const RECIPES = [
  { name: "dsu_mini", description: "Voice, drums, bass and the rest with the built-in model.", steps: ["band", "left"], stems: ["vocals", "drums", "bass", "other"], models: [{ model: "dsu_mini", installed: true, size_bytes: 5.4e6, license: "MIT" }], installed: true, commercial: true },
  { name: "six_stems", description: "Vocals by a RoFormer, drums and bass by htdemucs_ft, guitar and piano by htdemucs_6s.", steps: ["voice", "band", "keys", "other"], stems: ["vocals", "drums", "bass", "guitar", "piano", "other"], models: [{ model: "vocals_melband", installed: false, size_bytes: 913e6, license: "MIT" }, { model: "htdemucs_ft", installed: false, size_bytes: 337e6, license: "MIT" }], installed: false, commercial: true },
];
const SCHEMA = {
  properties: {
    stems: { description: "Write only these stems.", anyOf: [{ type: "array", items: { type: "string" } }, { type: "null" }], default: null },
    output_sample_rate: { description: "Sample rate of the stems in Hz.", anyOf: [{ type: "integer", minimum: 8000, maximum: 384000 }, { enum: ["source"] }, { type: "null" }], default: null },
    clip: { description: "What to do if stems would clip.", enum: ["clamp", "none", "rescale", "rescale_each"], default: "rescale" },
    format: { description: "File format of the stems.", enum: ["flac", "mp3", "wav"], default: "wav" },
    batch_size: { anyOf: [{ description: "Number of chunks that run together.", type: "integer", minimum: 1, maximum: 256 }, { type: "null" }], default: null },
  },
  families: { networks: { properties: {
    quality: { description: "Preset for `overlap` and `use_tta`.", anyOf: [{ enum: ["balanced", "best", "fast"] }, { type: "null" }], default: null },
    overlap: { anyOf: [{ description: "Number of windows that cover each sample.", type: "integer", minimum: 1, maximum: 50 }, { type: "null" }], default: null },
    num_overlap: { anyOf: [{ description: "Another name for `overlap`.", type: "integer" }, { type: "null" }], default: null },
    use_tta: { description: "Average with separations of swapped channels; takes 3 times as long.", type: "boolean", default: false },
  } } },
};
const DIAGNOSIS = {
  status: "diagnosis", healthy: true, version: "0.1.0", system: "Linux, Python 3.11",
  findings: [
    { check: "models", state: "good", message: "66 GB are free for models." },
    { check: "format flac", state: "good", message: "Written and read again, 140 dB." },
    { check: "threads", state: "warning", message: "2 of 8 cores compute.", hint: "Remove `--threads 2`, or set it to 8." },
  ],
  devices: [{ device: "cpu", findings: [] }],
};

/** A stem's sound at a frame: different for each, and the mix is their sum. */
export function sound(stem, frame) {
  const t = frame / RATE;
  const beat = t % 0.5;
  const bar = Math.floor(t / 2) % 4;
  const phrase = 0.5 + 0.5 * Math.sin((2 * Math.PI * t) / 9);
  switch (stem) {
    case "drums": {
      const noise = Math.sin(frame * 12.9898) * 43758.5453;
      return 0.5 * (noise - Math.floor(noise) - 0.5) * Math.exp(-beat * 18) + 0.4 * Math.sin(2 * Math.PI * 55 * beat * Math.exp(-beat * 6)) * Math.exp(-beat * 9);
    }
    case "bass":
      return 0.3 * Math.sin(2 * Math.PI * [55, 65.4, 49, 73.4][bar] * t) * Math.exp(-(t % 1) * 1.5);
    case "vocals":
      return t % 12 < 8 ? 0.35 * phrase * Math.sin(2 * Math.PI * 330 * t + 3 * Math.sin(2 * Math.PI * 5 * t)) * Math.sin(Math.PI * ((t % 1.6) / 1.6)) : 0;
    case "mix":
      return ["vocals", "drums", "bass", "other"].reduce((sum, one) => sum + sound(one, frame), 0);
    default:
      return 0.12 * (Math.sin(2 * Math.PI * 220 * t) + Math.sin(2 * Math.PI * 277 * t) + Math.sin(2 * Math.PI * 330 * t)) * (1 - phrase * 0.6);
  }
}

export class StandIn {
  jobs = new Map();
  uploads = new Map();
  asked = []; // requests that change something, for tests
  #listeners = new Set();
  #count = 0;
  #keys = new Map();
  #diagnosis = null;
  #timer;

  /** `speed` is how many seconds of a song it separates in a second. */
  constructor({ speed = 20, seconds = 24 } = {}) {
    this.speed = speed;
    this.seconds = seconds;
    this.server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(String(error));
      });
    });
    this.#timer = setInterval(() => this.#work(), 100);
  }

  async listen(port = 0) {
    await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  async close() {
    clearInterval(this.#timer);
    this.cut();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Cuts the line of events, as a restart would. */
  cut() {
    for (const response of this.#listeners) response.destroy();
    this.#listeners.clear();
  }

  addJob(fields = {}, request = { model: "dsu_mini" }) {
    const id = `job-${++this.#count}`;
    const job = {
      id, state: "queued", title: "Song", cmd: "separate", position: null, percent: 0, stage: "waiting", eta: null,
      created: Date.now() / 1000, started: null, ended: null, request, settings: {}, stems: [], ready: [], movable: true,
      duration_s: this.seconds, warnings: [], error: null, size_bytes: 0, ...fields,
    };
    this.jobs.set(id, job);
    this.#renumber();
    if (job.state === "done") this.#finish(job);
    this.#tell("job", job);
    return job;
  }

  #stemNames(job) {
    const model = MODELS.find((one) => one.name === job.request.model);
    const recipe = RECIPES.find((one) => one.name === job.request.recipe);
    return (recipe?.stems ?? model?.stems ?? ["vocals", "other"]).map((name) => name.toLowerCase());
  }

  #begin(job) {
    const frames = Math.round(job.duration_s * RATE);
    job.state = "running";
    job.started = Date.now() / 1000;
    job.stage = "separate";
    job.at = 0;
    job.stems = this.#stemNames(job).map((name) => ({ name, file: `/v1/jobs/${job.id}/stems/${name}`, frames, sample_rate: RATE, channels: 2, frames_ready: 0 }));
  }

  #finish(job) {
    if (!job.stems.length && job.cmd === "separate") this.#begin(job);
    job.state = "done";
    job.stage = "done";
    job.percent = 100;
    job.eta = 0;
    job.ended = Date.now() / 1000;
    job.ready = job.stems.length ? [[0, job.stems[0].frames]] : [];
    for (const stem of job.stems) stem.frames_ready = stem.frames;
    job.size_bytes = job.stems.length * (job.stems[0]?.frames ?? 0) * 8;
  }

  #work() {
    let running = [...this.jobs.values()].find((job) => job.state === "running");
    if (!running) {
      running = [...this.jobs.values()].filter((job) => job.state === "queued").sort((a, b) => a.position - b.position)[0];
      if (!running) return;
      if (running.request.model === "broken") {
        Object.assign(running, { state: "failed", ended: Date.now() / 1000, error: { code: "model_not_found", message: "There is no model `broken`.", hint: "Choose one from the list.", field: "model" } });
        this.#renumber();
        return this.#tell("job", running);
      }
      if (running.cmd === "separate") this.#begin(running);
      else Object.assign(running, { state: "running", started: Date.now() / 1000, stage: "download" });
      this.#renumber();
    }
    if (running.cmd !== "separate") {
      running.percent = Math.min(100, running.percent + this.speed);
      if (running.percent >= 100) {
        this.#finish(running);
        MODELS.find((model) => model.name === running.request.model).installed = true;
      }
      return this.#tell("job", running);
    }
    const frames = running.stems[0].frames;
    let goal = this.speed * RATE * 0.1 + (running.rest ?? 0);
    while (goal >= SEGMENT && running.state === "running") {
      goal -= SEGMENT;
      const gap = firstGap(running.ready, frames, running.at);
      if (!gap) break;
      const stop = Math.min(gap[0] + SEGMENT, gap[1]);
      running.ready = join([...running.ready, [gap[0], stop]]);
      running.at = stop;
      this.#tell("segment", { job: running.id, start: gap[0], frames: stop - gap[0] });
    }
    running.rest = goal;
    const done = running.ready.reduce((sum, [start, stop]) => sum + stop - start, 0);
    running.percent = (100 * done) / frames;
    running.eta = (frames - done) / RATE / this.speed;
    for (const stem of running.stems) stem.frames_ready = running.ready[0]?.[0] === 0 ? running.ready[0][1] : 0;
    if (done >= frames) this.#finish(running);
    this.#tell("job", running);
  }

  #renumber() {
    [...this.jobs.values()]
      .filter((job) => job.state === "queued")
      .sort((a, b) => (a.position ?? Infinity) - (b.position ?? Infinity) || a.created - b.created)
      .forEach((job, index) => {
        if (job.position !== index) {
          job.position = index;
          this.#tell("job", job);
        }
      });
  }

  #tell(kind, data) {
    for (const response of this.#listeners) response.write(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  async #answer(request, response) {
    const url = new URL(request.url, "http://x");
    const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
    const number = (name) => Number(url.searchParams.get(name));
    const json = (status, body) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const bytes = (body, type = "application/octet-stream", status = 200) => {
      response.writeHead(status, { "Content-Type": type });
      response.end(body);
    };
    const refuse = (status, code, message, hint = null, more = {}) => json(status, { error: { code, message, hint, field: null }, ...more });
    const body = request.method === "POST" ? await read(request) : Buffer.alloc(0);
    const content = () => (body.length ? JSON.parse(body.toString()) : {});
    if (request.method !== "GET") this.asked.push([request.method, url.pathname, request.headers["content-type"] === "application/json" ? content() : null]);
    if (parts[0] !== "v1") return this.#file(url.pathname, response);
    const [, kind, id, ...rest] = parts;
    const job = kind === "jobs" && id ? this.jobs.get(id) : null;
    if (kind === "jobs" && id && !job) return refuse(404, "not_found", "There is no such job.", "It may have been removed.");
    switch (`${request.method} ${kind}${id ? (rest.length ? `/ID/${rest[0]}` : "/ID") : ""}`) {
      case "GET events":
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        response.write("retry: 300\n\n");
        this.#listeners.add(response);
        response.on("close", () => this.#listeners.delete(response));
        return;
      case "GET jobs":
        return json(200, { jobs: [...this.jobs.values()] });
      case "POST uploads": {
        if (!body.length) return refuse(400, "invalid_audio", "The file is empty.", "Choose another one.");
        const sha256 = createHash("sha256").update(body).digest("hex");
        const upload = { id: sha256, name: url.searchParams.get("name"), size_bytes: body.length, sha256, duration_s: this.seconds };
        this.uploads.set(sha256, upload);
        return json(201, upload);
      }
      case "POST jobs": {
        const key = request.headers["idempotency-key"];
        if (this.#keys.has(key)) return json(202, this.#keys.get(key));
        const { input, title, request: asked } = content();
        const made = this.addJob({ title, input }, asked);
        this.#keys.set(key, made);
        return json(202, made);
      }
      case "DELETE jobs/ID":
        if (["queued", "running"].includes(job.state)) {
          Object.assign(job, { state: "cancelled", ended: Date.now() / 1000, position: null });
          this.#renumber();
          this.#tell("job", job);
        } else {
          this.jobs.delete(id);
          this.#tell("removed", { job: id });
        }
        return json(200, job);
      case "POST jobs/ID/retry":
        Object.assign(job, { state: "queued", error: null, percent: 0, ready: [], stems: [], position: null });
        this.#renumber();
        return json(202, job);
      case "POST jobs/ID/move": {
        const queue = [...this.jobs.values()].filter((one) => one.state === "queued" && one !== job).sort((a, b) => a.position - b.position);
        queue.splice(content().position, 0, job);
        queue.forEach((one, index) => {
          one.position = index;
          this.#tell("job", one);
        });
        return json(200, job);
      }
      case "POST jobs/ID/seek":
        job.at = Math.round(content().position_s * RATE);
        return json(200, job);
      case "GET jobs/ID/stems": {
        const [, stem, what] = rest;
        const frames = job.stems[0]?.frames ?? 0;
        const ready = (frame) => stem === "mix" || job.ready.some(([start, stop]) => frame >= start && frame < stop);
        if (what === "samples") {
          const start = number("start");
          const stop = Math.min(start + number("frames"), frames);
          if (!ready(start) || !ready(stop - 1)) return refuse(416, "not_ready", "These samples are not ready.", null, { ready: job.ready });
          const samples = new Float32Array(2 * (stop - start));
          for (let frame = start; frame < stop; frame++) samples[2 * (frame - start)] = samples[2 * (frame - start) + 1] = sound(stem, frame);
          return bytes(Buffer.from(samples.buffer), "audio/x-float32");
        }
        const [from, to] = [number("start_s"), number("stop_s")];
        if (what === "peaks") {
          const perSecond = number("per_second");
          const pairs = new Int8Array(2 * Math.ceil((to - from) * perSecond));
          for (let pair = 0; pair < pairs.length / 2; pair++) {
            const start = Math.round((from + pair / perSecond) * RATE);
            if (start >= frames || !ready(start)) continue;
            const step = Math.max(1, Math.floor(RATE / perSecond / 12));
            for (let frame = start; frame < start + RATE / perSecond; frame += step) {
              const value = Math.max(-127, Math.min(127, Math.round(127 * sound(stem, frame))));
              pairs[2 * pair] = Math.min(pairs[2 * pair], value);
              pairs[2 * pair + 1] = Math.max(pairs[2 * pair + 1], value);
            }
          }
          return bytes(Buffer.from(pairs.buffer));
        }
        if (what === "spectrogram") {
          const [columns, bands] = [number("columns"), number("bands")];
          const picture = new Uint8Array(columns * bands);
          const centre = { bass: 0.12, vocals: 0.45, drums: 0.7, mix: 0.4 }[stem] ?? 0.3;
          for (let column = 0; column < columns; column++) {
            const frame = Math.round((from + ((to - from) * column) / columns) * RATE);
            if (frame >= frames || !ready(frame)) continue;
            let loud = 0;
            for (let step = 0; step < 6; step++) loud = Math.max(loud, Math.abs(sound(stem, frame + step * 97)));
            for (let band = 0; band < bands; band++) {
              const harmonics = 0.6 + 0.4 * Math.cos(band * (stem === "drums" ? 0.2 : 1.1));
              picture[column * bands + band] = Math.max(0, Math.min(255, (90 + 20 * Math.log10(loud * harmonics + 1e-4) - 70 * Math.abs(band / bands - centre)) * 2.8));
            }
          }
          return bytes(picture);
        }
        return bytes(Buffer.alloc(64), "audio/wav");
      }
      case "GET jobs/ID/export":
        response.writeHead(200, { "Content-Type": "application/zip", "Content-Disposition": 'attachment; filename="Song.zip"' });
        return response.end(url.search);
      case "POST jobs/ID/open-folder":
        return json(200, {});
      case "GET models":
        return json(200, { models: MODELS, purposes: PURPOSES });
      case "POST models/ID/download":
        return json(202, this.addJob({ title: `Download ${id}`, cmd: "download_model" }, { model: id }));
      case "GET recipes":
        return json(200, { recipes: RECIPES });
      case "GET recipes/ID": {
        const recipe = RECIPES.find((one) => one.name === id);
        return recipe ? json(200, { ...recipe, text: MINI, document: MINI_DOCUMENT }) : refuse(404, "not_found", "There is no such recipe.");
      }
      case "POST recipes/ID": {
        const { text } = content();
        if (text.includes("model: dsu_mini}")) return json(200, { ok: true, recipe: RECIPES[0], document: MINI_DOCUMENT });
        const line = 1 + text.split("\n").findIndex((one) => one.includes("model:"));
        return json(200, { ok: false, error: { code: "invalid_request", message: "There is no model of this name.", hint: "Did you mean `dsu_mini`?", field: "recipe.steps.band.model", line } });
      }
      case "GET schema":
        return json(200, SCHEMA);
      case "GET status":
        return json(200, {
          version: "0.1.0", device: "cpu", precision: "fp32", threads: 2, memory: { rss_mb: 812, device_allocated_mb: null, device_free_mb: null },           models_dir: "/music/models", cached_models: ["dsu_mini"], max_cache_size: 2, formats: { wav: ["PCM_16", "PCM_24", "FLOAT"], flac: ["PCM_16", "PCM_24"], mp3: [] },
          disk: { used_bytes: 1.2e9, limit_bytes: 20e9 }, loopback: true,
        });
      case "GET doctor":
        return json(200, this.#diagnosis);
      case "POST doctor":
        this.#diagnosis = DIAGNOSIS;
        return json(200, DIAGNOSIS);
      default:
        return refuse(404, "not_found", `There is no ${url.pathname}.`);
    }
  }

  async #file(name, response) {
    const file = path.join(DIST, name === "/" ? "index.html" : path.normalize(name));
    try {
      const content = await readFile(file);
      response.writeHead(200, { "Content-Type": TYPES[path.extname(file)], "Content-Security-Policy": CSP });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  }
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

function join(stretches) {
  const result = [];
  for (const [start, stop] of stretches.sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], stop);
    else result.push([start, stop]);
  }
  return result;
}

/** What is missing next, from a place on and then from the beginning. */
function firstGap(ready, frames, at) {
  const gaps = [];
  let from = 0;
  for (const [start, stop] of ready) {
    if (start > from) gaps.push([from, start]);
    from = stop;
  }
  if (from < frames) gaps.push([from, frames]);
  const later = gaps.find(([, stop]) => stop > at);
  return later ? [Math.max(later[0], at), later[1]] : gaps[0];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const standIn = new StandIn({ speed: Number(process.argv[3] ?? 6), seconds: Number(process.argv[4] ?? 180) });
  console.log(await standIn.listen(Number(process.argv[2] ?? 8765)));
}
