// Which samples the mixer is to have: a few seconds around the playhead, so that an hour takes no more memory than a minute.
import type { Loop } from "./mixer";
import { isReady } from "../ranges";
import type { Stretch } from "../server/types";

export const PIECE_S = 3;
const AHEAD = 4; // pieces after the one that plays
const BEHIND = 1;

/** The pieces to hold, the most urgent first. */
export function wantedPieces(frame: number, loop: Loop | null, frames: number, pieceFrames: number): number[] {
  const last = Math.max(0, Math.ceil(frames / pieceFrames) - 1);
  const wanted = new Set<number>();
  let at = Math.min(Math.floor(frame / pieceFrames), last);
  const loopsBack = loop !== null && frame < loop[1];
  for (let step = 0; step <= AHEAD; step++) {
    wanted.add(at);
    at++;
    if (loopsBack && at * pieceFrames >= loop[1]) at = Math.floor(loop[0] / pieceFrames);
    else if (at > last) break;
  }
  for (let step = 1; step <= BEHIND; step++) {
    const before = Math.floor(frame / pieceFrames) - step;
    if (before >= 0) wanted.add(Math.min(before, last));
  }
  return [...wanted];
}

export function pieceStretch(piece: number, frames: number, pieceFrames: number): Stretch {
  return [piece * pieceFrames, Math.min((piece + 1) * pieceFrames, frames)];
}

export const pieceIsReady = (piece: number, ready: readonly Stretch[], frames: number, pieceFrames: number): boolean =>
  isReady(ready, ...pieceStretch(piece, frames, pieceFrames));

/** Left and right gain of a track: a pan to one side takes the other side away. */
export function sides(gain: number, pan: number): [left: number, right: number] {
  return [gain * Math.min(1, 1 - pan), gain * Math.min(1, 1 + pan)];
}

/** What is heard of each track. `solo` wins over `mute`; the mix is only heard when it is compared with. */
export function gains(tracks: readonly { name: string; solo: boolean; mute: boolean; volume: number; pan: number }[], comparing: boolean): [number, number][] {
  const anySolo = tracks.some((track) => track.solo && track.name !== "mix");
  return tracks.map(({ name, solo, mute, volume, pan }) => {
    if (name === "mix") return comparing ? [1, 1] : [0, 0];
    if (comparing || (anySolo ? !solo : mute)) return [0, 0];
    return sides(volume, pan);
  });
}
