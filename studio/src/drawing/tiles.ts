// Pictures of sound in tiles: fetched for what is seen, again when more of the song is ready, and forgotten when there are too many.

interface Tile<T> {
  content: T | null;
  version: number; // how many frames were ready when it was asked for
  coming: boolean;
}

const KEPT = 48;
const AT_ONCE = 2;

/** Runs a few at once, the latest first: what is seen now is more urgent than what was seen before. */
class Queue {
  #running = 0;
  readonly #waiting: (() => Promise<void>)[] = [];

  add(work: () => Promise<void>): void {
    this.#waiting.push(work);
    this.#next();
  }

  #next(): void {
    if (this.#running >= AT_ONCE) return;
    const work = this.#waiting.pop();
    if (!work) return;
    this.#running++;
    void work().finally(() => {
      this.#running--;
      this.#next();
    });
  }
}

const queue = new Queue();

export class Tiles<T> {
  readonly #tiles = new Map<string, Tile<T>>();
  #left = false;

  constructor(
    private readonly fetch: (level: number, index: number) => Promise<T>,
    private readonly changed: () => void,
  ) {}

  /** What is there of a tile, which is fetched if it is not there or not `version` yet. */
  get(level: number, index: number, version: number): T | null {
    const key = `${level}/${index}`;
    const tile = this.#tiles.get(key) ?? { content: null, version: 0, coming: false };
    this.#tiles.delete(key); // so that the map is in the order of use
    this.#tiles.set(key, tile);
    if (this.#tiles.size > KEPT) this.#tiles.delete(this.#tiles.keys().next().value!);
    if (version > tile.version && !tile.coming) this.#load(tile, level, index, version);
    return tile.content;
  }

  /** What is there, without fetching it. */
  peek(level: number, index: number): T | null {
    return this.#tiles.get(`${level}/${index}`)?.content ?? null;
  }

  leave(): void {
    this.#left = true;
  }

  #load(tile: Tile<T>, level: number, index: number, version: number): void {
    tile.coming = true;
    queue.add(async () => {
      try {
        if (this.#left) return;
        tile.content = await this.fetch(level, index);
        tile.version = version;
        tile.coming = false;
        if (!this.#left) this.changed();
      } catch {
        // Asked for again with the next change; meanwhile the place is empty.
        window.setTimeout(() => (tile.coming = false), 1000);
      }
    });
  }
}

/** The coarsest of `levels` (per second, ascending) that is fine enough. */
export const levelFor = (levels: readonly number[], perSecond: number): number => levels.find((level) => level >= perSecond) ?? levels.at(-1)!;
