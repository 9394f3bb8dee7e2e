// The mixer: tracks in step, jumps without clicks, loops to the sample, and silence instead of something wrong.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Mixer } from "../../src/audio/mixer";

const RATE = 8000;
const PIECE = 1000;
const FRAMES = 3500;
const SETTLED = 400; // frames after which fades are over

/** Two tracks: one counts its frames, the other is the same, negated. */
function mixer(pieces = [0, 1, 2, 3]): Mixer {
  const made = new Mixer([2, 1], FRAMES, PIECE, RATE);
  for (const piece of pieces) {
    const frames = Math.min(PIECE, FRAMES - piece * PIECE);
    made.put(0, piece, Float32Array.from({ length: 2 * frames }, (_, index) => piece * PIECE + Math.floor(index / 2)));
    made.put(1, piece, Float32Array.from({ length: frames }, (_, index) => -(piece * PIECE + index)));
  }
  return made;
}

function render(made: Mixer, frames: number): { left: Float32Array; right: Float32Array; ended: boolean } {
  const [left, right] = [new Float32Array(frames), new Float32Array(frames)];
  let ended = false;
  for (let at = 0; at < frames; at += 128) ended = made.render(left.subarray(at, at + 128), right.subarray(at, at + 128)) || ended;
  return { left, right, ended };
}

test("a track is heard as it is, once the fade is over", () => {
  const made = mixer();
  made.setLevel(0, 1, 0.5);
  made.play();
  const { left, right } = render(made, 1280);
  for (let frame = SETTLED; frame < 1280; frame++) {
    assert.equal(left[frame], frame);
    assert.equal(right[frame], frame / 2);
  }
});

test("tracks stay in step over the borders of pieces: opposite ones are silence", () => {
  const made = mixer();
  made.setLevel(0, 1, 1);
  made.setLevel(1, 1, 1);
  made.play();
  const { left } = render(made, 3328);
  assert.ok(left.every((value) => Math.abs(value) < 1e-3)); // floats of 32 bits, of up to 3500
  assert.equal(made.position, 3328);
});

test("nothing sounds and nothing moves before it plays", () => {
  const made = mixer();
  made.setLevel(0, 1, 1);
  assert.ok(render(made, 512).left.every((value) => value === 0));
  assert.equal(made.position, 0);
});

test("a loop goes back to its start to the sample", () => {
  const made = mixer();
  made.setLevel(0, 1, 1);
  made.seek(1500);
  made.setLoop([1500, 2100]);
  made.play();
  const { left } = render(made, 1920);
  for (let frame = SETTLED; frame < 1920; frame++) assert.equal(left[frame], 1500 + (frame % 600));
});

test("a loop that is behind the playhead does not hold it", () => {
  const made = mixer();
  made.setLevel(0, 1, 1);
  made.setLoop([0, 500]);
  made.seek(1000);
  made.play();
  render(made, 1024);
  assert.equal(made.position, 2024);
});

test("a jump fades out before it and in after it", () => {
  const made = mixer();
  made.setLevel(0, 0.001, 0.001);
  made.play();
  render(made, 1024);
  made.seek(2400);
  assert.equal(made.position, 2400);
  const { left } = render(made, 896);
  assert.ok(left[0]! > 0.8);
  const low = left.findIndex((value) => value < 0.01);
  assert.ok(low > 8 && low < 300);
  assert.ok(Math.abs(left[895]! - (made.position - 1) * 0.001) < 1e-3);
  for (let frame = 1; frame < left.length; frame++) assert.ok(Math.abs(left[frame]! - left[frame - 1]!) < 0.5);
});

test("it waits where samples are missing, and goes on from there", () => {
  const made = mixer([0, 2]);
  made.setLevel(0, 1, 1);
  made.play();
  render(made, 1280);
  assert.equal(made.position, 1000);
  assert.equal(made.starving, true);
  made.put(0, 1, new Float32Array(2 * PIECE).fill(7));
  const { left } = render(made, 640);
  assert.equal(made.starving, false);
  assert.equal(left[600], 7);
  assert.equal(made.position, 1640);
});

test("a muted track need not be there", () => {
  const made = new Mixer([2, 2], FRAMES, PIECE, RATE);
  made.put(0, 0, new Float32Array(2 * PIECE).fill(1));
  made.setLevel(0, 1, 1);
  made.play();
  render(made, 640);
  assert.equal(made.starving, false);
  assert.equal(made.position, 640);
});

test("the end of the song stops it, once", () => {
  const made = mixer();
  made.setLevel(0, 1, 1);
  made.seek(3400);
  made.play();
  assert.equal(render(made, 256).ended, true);
  assert.equal(made.playing, false);
  assert.equal(render(made, 256).ended, false);
});

test("pieces that are not kept are forgotten", () => {
  const made = mixer();
  made.keep(0, new Set([2]));
  made.setLevel(0, 1, 1);
  made.play();
  render(made, 128);
  assert.equal(made.starving, true);
  made.seek(2000);
  render(made, 128);
  assert.equal(made.starving, false);
});
