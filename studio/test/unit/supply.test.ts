// Which samples are held, and what is heard of each track.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gains, pieceIsReady, pieceStretch, sides, wantedPieces } from "../../src/audio/supply";

const fader = (name: string, more = {}) => ({ name, solo: false, mute: false, volume: 1, pan: 0, ...more });

test("the pieces around the playhead are wanted, and as many of an hour as of a minute", () => {
  assert.deepEqual(wantedPieces(5 * 100 + 3, null, 100 * 1200, 100), [5, 6, 7, 8, 9, 4]);
  assert.deepEqual(wantedPieces(0, null, 250, 100), [0, 1, 2]);
  assert.deepEqual(wantedPieces(250, null, 250, 100), [2, 1]);
});

test("at the end of a loop its start is wanted", () => {
  assert.deepEqual(wantedPieces(560, [210, 700], 100 * 1200, 100), [5, 6, 2, 3, 4]);
});

test("a piece is ready when all of it is, the last one up to the end", () => {
  assert.deepEqual(pieceStretch(2, 250, 100), [200, 250]);
  assert.equal(pieceIsReady(2, [[200, 250]], 250, 100), true);
  assert.equal(pieceIsReady(1, [[0, 199]], 250, 100), false);
  assert.equal(pieceIsReady(1, [[0, 150], [150, 250]], 250, 100), true);
});

test("a pan takes the other side away, and no pan leaves both as they are", () => {
  assert.deepEqual(sides(0.5, 0), [0.5, 0.5]);
  assert.deepEqual(sides(1, -1), [1, 0]);
  assert.deepEqual(sides(1, 0.25), [0.75, 1]);
});

test("solo wins over mute, and the song is heard alone", () => {
  const tracks = [fader("mix"), fader("vocals", { solo: true, mute: true }), fader("drums")];
  assert.deepEqual(gains(tracks, false), [[0, 0], [1, 1], [0, 0]]);
  assert.deepEqual(gains(tracks, true), [[1, 1], [0, 0], [0, 0]]);
  assert.deepEqual(gains([fader("mix"), fader("vocals", { mute: true }), fader("drums", { volume: 0.5 })], false), [[0, 0], [0, 0], [0.5, 0.5]]);
});
