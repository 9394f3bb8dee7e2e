// Plays one job: fetches samples around the playhead for the mixer, and tells the page where it is.
import { effect, type Signal, signal } from "@preact/signals";
import { getBytes, jobPath, Problem, send, troubleOf } from "../server/client";
import type { Job, Stretch, Trouble } from "../server/types";
import type { Loop } from "./mixer";
import { gains, PIECE_S, pieceIsReady, pieceStretch, wantedPieces } from "./supply";
import type { Order, Song, Whereabouts } from "./worklet";

declare const MIXER_ADDRESS: string;

const FETCHES_AT_ONCE = 4; // browsers allow six to one server, and the events need one
const AGAIN_AFTER_MS = 1500;

export interface Track {
  name: string;
  channels: number;
  mute: Signal<boolean>;
  solo: Signal<boolean>;
  volume: Signal<number>;
  pan: Signal<number>;
}

const newTrack = (name: string, channels: number): Track => ({ name, channels, mute: signal(false), solo: signal(false), volume: signal(1), pan: signal(0) });

export class Player {
  readonly rate: number;
  readonly frames: number;
  readonly tracks: Track[];
  readonly position = signal(0);
  readonly playing = signal(false);
  readonly waiting = signal(false);
  readonly comparing = signal(false);
  readonly loop = signal<Loop | null>(null);
  readonly trouble = signal<Trouble | null>(null);
  readonly #pieceFrames: number;
  readonly #held: Map<number, "coming" | "there">[];
  #ready: Stretch[] = [];
  #isMovable = false;
  #context: AudioContext | null = null;
  #node: AudioWorkletNode | null = null;
  #starting: Promise<void> | null = null;
  #left = false;
  #stopEffects: () => void = () => {};
  #turn = 0;

  constructor(
    readonly job: string,
    stems: Job["stems"],
    frames: number,
  ) {
    this.rate = stems[0]!.sample_rate;
    this.frames = frames;
    this.#pieceFrames = Math.round(PIECE_S * this.rate);
    this.tracks = [newTrack("mix", stems[0]!.channels), ...stems.map((stem) => newTrack(stem.name, stem.channels))];
    this.#held = this.tracks.map(() => new Map());
  }

  get seconds(): number {
    return this.frames / this.rate;
  }

  /** More of the song is there. */
  update(job: Job, ready: Stretch[]): void {
    this.#ready = ready;
    this.#isMovable = job.state === "running" && job.movable;
    this.#supply();
  }

  async toggle(): Promise<void> {
    await (this.playing.value ? this.pause() : this.play());
  }

  async play(): Promise<void> {
    await (this.#starting ??= this.#start());
    if (this.#left) return;
    await this.#context!.resume();
    if (this.position.value >= this.frames) this.seek(0);
    this.playing.value = true;
    this.#tell({ play: true });
    this.#supply();
  }

  pause(): void {
    this.playing.value = false;
    this.waiting.value = false;
    this.#tell({ play: false });
  }

  seek(seconds: number): void {
    const frame = Math.max(0, Math.min(Math.round(seconds * this.rate), this.frames));
    this.position.value = frame;
    this.#tell({ seek: frame, turn: ++this.#turn });
    this.#supply();
    const piece = Math.min(Math.floor(frame / this.#pieceFrames), Math.floor((this.frames - 1) / this.#pieceFrames));
    if (this.#isMovable && !pieceIsReady(piece, this.#ready, this.frames, this.#pieceFrames)) void this.#moveWork(frame);
  }

  setLoop(loop: Loop | null): void {
    this.loop.value = loop;
    this.#tell({ loop });
    this.#supply();
  }

  leave(): void {
    this.#left = true;
    this.#stopEffects();
    this.#tell({ leave: true });
    void this.#context?.close();
  }

  async #moveWork(frame: number): Promise<void> {
    try {
      await send("POST", jobPath(this.job, "seek"), { position_s: frame / this.rate });
    } catch {
      // The job has just ended, and then the place is there.
    }
  }

  async #start(): Promise<void> {
    try {
      const context = new AudioContext({ sampleRate: this.rate, latencyHint: "playback" });
      this.#context = context;
      await context.audioWorklet.addModule(MIXER_ADDRESS);
      if (this.#left) return;
      const song: Song = { channels: this.tracks.map((track) => track.channels), frames: this.frames, pieceFrames: this.#pieceFrames, rate: this.rate };
      const node = new AudioWorkletNode(context, "mixer", { numberOfInputs: 0, outputChannelCount: [2], processorOptions: song });
      node.port.onmessage = ({ data }: MessageEvent<Whereabouts>) => this.#hear(data);
      node.connect(context.destination);
      this.#node = node;
    } catch (reason) {
      this.#starting = null;
      this.trouble.value = { code: "no_sound", message: `The browser could not open its sound output: ${troubleOf(reason).message}`, hint: "Check that another program does not hold the sound card." };
      throw reason;
    }
    this.#tell({ seek: this.position.value, turn: this.#turn });
    this.#tell({ loop: this.loop.value });
    this.#stopEffects = effect(() => {
      const levels = gains(
        this.tracks.map((track) => ({ name: track.name, solo: track.solo.value, mute: track.mute.value, volume: track.volume.value, pan: track.pan.value })),
        this.comparing.value,
      );
      levels.forEach((level, track) => this.#tell({ level, track }));
    });
    this.#supply();
  }

  #hear({ turn, position, playing, starving, ended }: Whereabouts): void {
    if (turn !== this.#turn) {
      // It was said before our latest jump arrived. If the song had just ended, the mixer has stopped, and the jump alone starts nothing.
      if (ended && this.playing.value) this.#tell({ play: true });
      return;
    }
    if (ended) {
      this.playing.value = false;
      this.position.value = this.frames;
      return;
    }
    if (this.playing.value) this.position.value = position;
    this.waiting.value = this.playing.value && playing && starving;
    this.#supply();
  }

  #tell(order: Order, transfer: Transferable[] = []): void {
    this.#node?.port.postMessage(order, transfer);
  }

  /** Fetches what the mixer should have and has not, and lets go of the rest. */
  #supply(): void {
    if (!this.#node || this.#left) return;
    const wanted = wantedPieces(this.position.value, this.loop.value, this.frames, this.#pieceFrames);
    const kept = new Set(wanted);
    this.#held.forEach((held, track) => {
      const before = held.size;
      for (const [piece, state] of held) if (state === "there" && !kept.has(piece)) held.delete(piece);
      if (held.size < before) this.#tell({ keep: [...held.keys()], track });
    });
    const levels = gains(
      this.tracks.map((track) => ({ name: track.name, solo: track.solo.peek(), mute: track.mute.peek(), volume: track.volume.peek(), pan: track.pan.peek() })),
      this.comparing.peek(),
    );
    const order = this.tracks.map((_, track) => track).sort((a, b) => Number(levels[b]![0] + levels[b]![1] > 0) - Number(levels[a]![0] + levels[a]![1] > 0));
    for (const piece of wanted) {
      if (!pieceIsReady(piece, this.#ready, this.frames, this.#pieceFrames)) continue;
      for (const track of order) {
        const coming = this.#held.reduce((sum, held) => sum + [...held.values()].filter((state) => state === "coming").length, 0);
        if (coming >= FETCHES_AT_ONCE) return;
        if (!this.#held[track]!.has(piece)) void this.#fetch(track, piece);
      }
    }
  }

  async #fetch(track: number, piece: number): Promise<void> {
    const held = this.#held[track]!;
    held.set(piece, "coming");
    const [start, stop] = pieceStretch(piece, this.frames, this.#pieceFrames);
    try {
      const path = jobPath(this.job, "stems", this.tracks[track]!.name, "samples");
      const samples = new Float32Array(await getBytes(`${path}?start=${start}&frames=${stop - start}`));
      const whole = (stop - start) * this.tracks[track]!.channels;
      const put = samples.length >= whole ? samples : padded(samples, whole);
      this.#tell({ put, track, piece }, [put.buffer]);
      held.set(piece, "there");
      this.trouble.value = null;
      this.#supply();
    } catch (reason) {
      const early = reason instanceof Problem && reason.status === 416;
      if (!early) this.trouble.value = troubleOf(reason);
      window.setTimeout(() => {
        held.delete(piece);
        this.#supply();
      }, AGAIN_AFTER_MS);
    }
  }
}

/** The last piece of a track that is a few frames shorter than the others. */
function padded(samples: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(length);
  result.set(samples);
  return result;
}
