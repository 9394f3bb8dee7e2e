// The mixer on the thread of the sound. The page sends it samples and levels, and it tells where it is.
import { type Loop, Mixer } from "./mixer";

declare const registerProcessor: (name: string, processor: unknown) => void;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}

export type Order =
  | { put: Float32Array; track: number; piece: number }
  | { keep: number[]; track: number }
  | { level: [left: number, right: number]; track: number }
  | { play: boolean }
  | { seek: number; turn: number }
  | { loop: Loop | null }
  | { leave: true };

export interface Whereabouts {
  turn: number; // of the latest jump that it has heard of
  position: number;
  playing: boolean;
  starving: boolean;
  ended: boolean;
}

export interface Song {
  channels: number[];
  frames: number;
  pieceFrames: number;
  rate: number;
}

const TOLD_EVERY = 8; // blocks of 128 frames

class MixerProcessor extends AudioWorkletProcessor {
  readonly #mixer: Mixer;
  #blocks = 0;
  #turn = 0;
  #left = false;

  constructor({ processorOptions: song }: { processorOptions: Song }) {
    super();
    this.#mixer = new Mixer(song.channels, song.frames, song.pieceFrames, song.rate);
    this.port.onmessage = ({ data }: MessageEvent<Order>) => this.#obey(data);
  }

  #obey(order: Order): void {
    const mixer = this.#mixer;
    if ("put" in order) mixer.put(order.track, order.piece, order.put);
    else if ("keep" in order) mixer.keep(order.track, new Set(order.keep));
    else if ("level" in order) mixer.setLevel(order.track, ...order.level);
    else if ("play" in order) order.play ? mixer.play() : mixer.pause();
    else if ("loop" in order) mixer.setLoop(order.loop);
    else if ("seek" in order) {
      mixer.seek(order.seek);
      this.#turn = order.turn;
    } else this.#left = true;
  }

  process(_inputs: Float32Array[][], [output]: Float32Array[][]): boolean {
    const [left, right] = output!;
    const ended = this.#mixer.render(left!, right ?? new Float32Array(left!.length));
    if (ended || ++this.#blocks % TOLD_EVERY === 0) {
      const { position, playing, starving } = this.#mixer;
      this.port.postMessage({ turn: this.#turn, position, playing, starving, ended } satisfies Whereabouts);
    }
    return !this.#left;
  }
}

registerProcessor("mixer", MixerProcessor);
