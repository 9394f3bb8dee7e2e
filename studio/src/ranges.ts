// Stretches of a song that are ready: `[start, stop]` in frames, in order, without touching.
import type { Stretch } from "./server/types";

export function merged(stretches: readonly Stretch[]): Stretch[] {
  const result: Stretch[] = [];
  for (const [start, stop] of [...stretches].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (stop <= start) continue;
    if (last && start <= last[1]) last[1] = Math.max(last[1], stop);
    else result.push([start, stop]);
  }
  return result;
}

/** How many frames between `start` and `stop` are ready. */
export function readyIn(stretches: readonly Stretch[], start: number, stop: number): number {
  return stretches.reduce((sum, [from, to]) => sum + Math.max(0, Math.min(to, stop) - Math.max(from, start)), 0);
}

export const isReady = (stretches: readonly Stretch[], start: number, stop: number): boolean => readyIn(stretches, start, stop) >= stop - start;

/** What lies between the stretches. */
export function missing(stretches: readonly Stretch[], frames: number): Stretch[] {
  const result: Stretch[] = [];
  let from = 0;
  for (const [start, stop] of stretches) {
    if (start > from) result.push([from, start]);
    from = Math.max(from, stop);
  }
  if (from < frames) result.push([from, frames]);
  return result;
}
