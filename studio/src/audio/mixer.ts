// Mixes the tracks of one song, sample by sample, so that they cannot drift apart. It knows nothing of browsers.

const FADE_S = 0.004; // of levels, and of the whole before a jump: short, but no click
const SILENT = 1e-4;

interface Track {
  pieces: Map<number, Float32Array>;
  channels: number;
  left: number;
  right: number;
  wantedLeft: number;
  wantedRight: number;
}

export type Loop = [start: number, stop: number];

export class Mixer {
  readonly #tracks: Track[] = [];
  readonly #approach: number;
  #frame = 0;
  #jump: number | null = null;
  #level = 0;
  #wantedLevel = 0;
  #loop: Loop | null = null;
  /** Whether it waits for samples that it has not been given yet. */
  starving = false;

  constructor(
    channels: readonly number[],
    readonly frames: number,
    readonly pieceFrames: number,
    rate: number,
  ) {
    for (const count of channels) {
      this.#tracks.push({ pieces: new Map(), channels: count, left: 0, right: 0, wantedLeft: 0, wantedRight: 0 });
    }
    this.#approach = 1 - Math.exp(-5 / (FADE_S * rate));
  }

  get position(): number {
    return this.#jump ?? this.#frame;
  }

  get playing(): boolean {
    return this.#wantedLevel > 0;
  }

  /** Samples of a track, interleaved. */
  put(track: number, piece: number, samples: Float32Array): void {
    this.#tracks[track]?.pieces.set(piece, samples);
  }

  /** Forgets the pieces of a track that are not in `pieces`. */
  keep(track: number, pieces: ReadonlySet<number>): void {
    const held = this.#tracks[track]?.pieces;
    for (const piece of held?.keys() ?? []) if (!pieces.has(piece)) held?.delete(piece);
  }

  setLevel(track: number, left: number, right: number): void {
    const one = this.#tracks[track];
    if (!one) return;
    [one.wantedLeft, one.wantedRight] = [left, right];
  }

  play(): void {
    this.#wantedLevel = 1;
  }

  pause(): void {
    this.#wantedLevel = 0;
  }

  seek(frame: number): void {
    this.#jump = Math.max(0, Math.min(frame, this.frames));
  }

  setLoop(loop: Loop | null): void {
    this.#loop = loop && loop[1] > loop[0] ? loop : null;
  }

  /** Fills both channels and moves on, if it plays. Says whether the song has just ended. */
  render(left: Float32Array, right: Float32Array): boolean {
    left.fill(0);
    right.fill(0);
    this.starving = false;
    let at = 0;
    while (at < left.length) {
      if (this.#jump !== null && this.#level <= SILENT) {
        [this.#frame, this.#jump] = [this.#jump, null];
        this.#snapLevels();
      }
      if (this.#level <= SILENT && this.#wantedLevel === 0) {
        this.#level = 0;
        return false;
      }
      const loopEnd = this.#loop && this.#frame < this.#loop[1] ? this.#loop[1] : null;
      if (this.#frame >= this.frames) {
        if (!this.#loop) {
          [this.#level, this.#wantedLevel, this.#frame] = [0, 0, this.frames];
          return true;
        }
        this.#frame = this.#loop[0];
        continue;
      }
      const piece = Math.floor(this.#frame / this.pieceFrames);
      const pieceEnd = Math.min((piece + 1) * this.pieceFrames, this.frames);
      const run = Math.min(left.length - at, pieceEnd - this.#frame, (loopEnd ?? this.frames) - this.#frame);
      if (!this.#mix(left, right, at, run, piece)) {
        this.starving = true;
        this.#level = 0; // it comes back softly
        return false;
      }
      at += run;
      this.#frame += run;
      if (loopEnd !== null && this.#frame === loopEnd) this.#frame = this.#loop![0];
    }
    return false;
  }

  #mix(left: Float32Array, right: Float32Array, at: number, run: number, piece: number): boolean {
    const offset = this.#frame - piece * this.pieceFrames;
    const heard: [Track, Float32Array][] = [];
    for (const track of this.#tracks) {
      const samples = track.pieces.get(piece);
      const wanted = track.wantedLeft > 0 || track.wantedRight > 0;
      if (samples && samples.length >= (offset + run) * track.channels) {
        if (wanted || track.left > 0 || track.right > 0) heard.push([track, samples]);
      } else if (wanted) return false;
      else [track.left, track.right] = [0, 0];
    }
    const approach = this.#approach;
    const wantedLevel = this.#jump === null ? this.#wantedLevel : 0;
    let level = this.#level;
    for (const [track, samples] of heard) {
      const step = track.channels;
      let index = offset * step;
      let [l, r] = [track.left, track.right];
      level = this.#level;
      for (let frame = at; frame < at + run; frame++, index += step) {
        l += (track.wantedLeft - l) * approach;
        r += (track.wantedRight - r) * approach;
        level += (wantedLevel - level) * approach;
        left[frame]! += samples[index]! * l * level;
        right[frame]! += samples[step > 1 ? index + 1 : index]! * r * level;
      }
      [track.left, track.right] = [settled(l, track.wantedLeft), settled(r, track.wantedRight)];
    }
    if (heard.length === 0) level = wantedLevel + (this.#level - wantedLevel) * (1 - approach) ** run;
    this.#level = settled(level, wantedLevel);
    return true;
  }

  /** At rest there is nothing to fade. */
  #snapLevels(): void {
    for (const track of this.#tracks) [track.left, track.right] = [track.wantedLeft, track.wantedRight];
  }
}

const settled = (value: number, wanted: number): number => (Math.abs(value - wanted) < SILENT ? wanted : value);
