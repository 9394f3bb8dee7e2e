// Draws the waveform or the spectrogram of one stem into a canvas.
import { missing, readyIn } from "../ranges";
import { getBytes, jobPath } from "../server/client";
import type { Stretch } from "../server/types";
import { gradient } from "./colours";
import { levelFor, Tiles } from "./tiles";

export interface View {
  start: number;
  stop: number;
}

const PEAK_LEVELS = [1, 4, 16, 64, 256, 1000];
const PEAKS_PER_TILE = 1024;
const COLUMN_LEVELS = [1, 4, 16, 64];
const COLUMNS_PER_TILE = 512;
const BANDS = 96;
const FULL_SCALE = 127;

export interface Look {
  colour: string;
  quiet: string; // for what is not there yet
  dark: boolean;
}

export class Sound {
  readonly #peaks: Tiles<Int8Array>;
  readonly #spectrum: Tiles<Uint8Array>;
  readonly #pictures = new WeakMap<Uint8Array, { dark: boolean; picture: HTMLCanvasElement }>();

  constructor(
    job: string,
    stem: string,
    private readonly rate: number,
    private readonly frames: number,
    changed: () => void,
  ) {
    const ask = (what: string, query: Record<string, number>) =>
      getBytes(`${jobPath(job, "stems", stem, what)}?${Object.entries(query).map(([key, value]) => `${key}=${value}`).join("&")}`);
    this.#peaks = new Tiles(async (level, index) => {
      const seconds = PEAKS_PER_TILE / level;
      return new Int8Array(await ask("peaks", { per_second: level, start_s: index * seconds, stop_s: (index + 1) * seconds }));
    }, changed);
    this.#spectrum = new Tiles(async (level, index) => {
      const seconds = COLUMNS_PER_TILE / level;
      return new Uint8Array(await ask("spectrogram", { start_s: index * seconds, stop_s: (index + 1) * seconds, columns: COLUMNS_PER_TILE, bands: BANDS }));
    }, changed);
  }

  leave(): void {
    this.#peaks.leave();
    this.#spectrum.leave();
  }

  draw(canvas: HTMLCanvasElement, view: View, ready: readonly Stretch[], kind: "waveform" | "spectrogram", look: Look): void {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
    if (!width || !height || view.stop <= view.start) return;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const paint = canvas.getContext("2d")!;
    paint.clearRect(0, 0, width, height);
    if (kind === "waveform") this.#drawWaveform(paint, width, height, view, ready, look.colour);
    else this.#drawSpectrogram(paint, width, height, view, ready, look.dark);
    this.#drawMissing(paint, width, height, view, ready, look.quiet);
  }

  #version(ready: readonly Stretch[], start: number, stop: number): number {
    return readyIn(ready, Math.floor(start * this.rate), Math.ceil(stop * this.rate));
  }

  #drawWaveform(paint: CanvasRenderingContext2D, width: number, height: number, view: View, ready: readonly Stretch[], colour: string): void {
    const perSecond = width / (view.stop - view.start);
    const level = levelFor(PEAK_LEVELS, perSecond);
    const tiles = new Map<number, Int8Array | null>();
    const seconds = PEAKS_PER_TILE / level;
    for (let index = Math.max(0, Math.floor(view.start / seconds)); index * seconds < Math.min(view.stop, this.frames / this.rate); index++) {
      tiles.set(index, this.#peaks.get(level, index, this.#version(ready, index * seconds, (index + 1) * seconds)));
    }
    const [middle, reach] = [height / 2, height / 2 - 1];
    paint.fillStyle = colour;
    for (let x = 0; x < width; x++) {
      const from = (view.start + x / perSecond) * level;
      const extremes = this.#extremes(level, from, Math.max(from + 1, from + level / perSecond), tiles);
      if (!extremes) continue;
      const [top, bottom] = [Math.max((extremes[1] / FULL_SCALE) * reach, 0.5), Math.min((extremes[0] / FULL_SCALE) * reach, -0.5)];
      paint.fillRect(x, middle - top, 1, top - bottom);
    }
  }

  /** The lowest and the highest of the pairs from `from` to `stop`; of a coarser level where this one has not come yet, or nothing. */
  #extremes(level: number, from: number, stop: number, tiles: Map<number, Int8Array | null>): [number, number] | null {
    let [min, max, known] = [0, 0, false];
    for (let pair = Math.max(0, Math.floor(from)); pair < Math.ceil(stop); pair++) {
      const index = Math.floor(pair / PEAKS_PER_TILE);
      const tile = tiles.get(index);
      const at = 2 * (pair - index * PEAKS_PER_TILE);
      if (tile) [min, max, known] = [Math.min(min, tile[at] ?? 0), Math.max(max, tile[at + 1] ?? 0), true];
      else {
        for (const coarser of PEAK_LEVELS.filter((one) => one < level).reverse()) {
          const other = Math.floor((pair * coarser) / level);
          const found = this.#peaks.peek(coarser, Math.floor(other / PEAKS_PER_TILE));
          if (!found) continue;
          const place = 2 * (other % PEAKS_PER_TILE);
          [min, max, known] = [Math.min(min, found[place] ?? 0), Math.max(max, found[place + 1] ?? 0), true];
          break;
        }
      }
    }
    return known ? [min, max] : null;
  }

  #drawSpectrogram(paint: CanvasRenderingContext2D, width: number, height: number, view: View, ready: readonly Stretch[], dark: boolean): void {
    const perSecond = width / (view.stop - view.start);
    const level = levelFor(COLUMN_LEVELS, perSecond / 2);
    const seconds = COLUMNS_PER_TILE / level;
    paint.imageSmoothingQuality = "high";
    for (let index = Math.max(0, Math.floor(view.start / seconds)); index * seconds < Math.min(view.stop, this.frames / this.rate); index++) {
      const tile = this.#spectrum.get(level, index, this.#version(ready, index * seconds, (index + 1) * seconds));
      if (tile) paint.drawImage(this.#picture(tile, dark), (index * seconds - view.start) * perSecond, 0, seconds * perSecond, height);
    }
  }

  #picture(tile: Uint8Array, dark: boolean): HTMLCanvasElement {
    const made = this.#pictures.get(tile);
    if (made?.dark === dark) return made.picture;
    const picture = document.createElement("canvas");
    [picture.width, picture.height] = [COLUMNS_PER_TILE, BANDS];
    const paint = picture.getContext("2d")!;
    const image = paint.createImageData(COLUMNS_PER_TILE, BANDS);
    const colours = gradient(dark);
    const pixels = new Uint32Array(image.data.buffer);
    for (let column = 0; column < COLUMNS_PER_TILE; column++) {
      for (let band = 0; band < BANDS; band++) {
        pixels[(BANDS - 1 - band) * COLUMNS_PER_TILE + column] = colours[tile[column * BANDS + band] ?? 0]!;
      }
    }
    paint.putImageData(image, 0, 0);
    this.#pictures.set(tile, { dark, picture });
    return picture;
  }

  #drawMissing(paint: CanvasRenderingContext2D, width: number, height: number, view: View, ready: readonly Stretch[], quiet: string): void {
    const perFrame = width / ((view.stop - view.start) * this.rate);
    for (const [start, stop] of missing(ready, this.frames)) {
      const [from, to] = [(start - view.start * this.rate) * perFrame, (stop - view.start * this.rate) * perFrame];
      if (to < 0 || from > width) continue;
      const [x, w] = [Math.max(0, from), Math.min(width, to) - Math.max(0, from)];
      paint.clearRect(x, 0, w, height);
      paint.fillStyle = quiet;
      for (let dot = Math.ceil(x / 8) * 8; dot < x + w; dot += 8) paint.fillRect(dot, height / 2 - 1, 2, 2);
    }
  }
}
