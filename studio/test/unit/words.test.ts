// Numbers and stretches.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isReady, merged, missing, readyIn } from "../../src/ranges";
import { clock, secondsOf, size, span } from "../../src/wording";

test("times are read as they are written", () => {
  for (const [seconds, text] of [[0, "0:00"], [187, "3:07"], [3729, "1:02:09"]] as const) {
    assert.equal(clock(seconds), text);
    assert.equal(secondsOf(text), seconds);
  }
  assert.equal(clock(12.35, true), "0:12.3");
  assert.equal(clock(0.3, true), "0:00.3");
  assert.equal(secondsOf("1:02.5"), 62.5);
  assert.equal(secondsOf("soon"), null);
  assert.equal(secondsOf("1:2:3:4"), null);
});

test("sizes and spans are short", () => {
  assert.deepEqual([size(900), size(5_408_792), size(913e6), size(1.25e9), size(null)], ["1 kB", "5 MB", "913 MB", "1.3 GB", "size unknown"]);
  assert.deepEqual([span(0.2), span(42), span(150), span(3720)], ["a moment", "42 s", "3 min", "1 h 2 min"]);
});

test("stretches that touch are one, whatever their order", () => {
  assert.deepEqual(merged([[50, 60], [0, 10], [10, 20], [15, 30], [40, 40]]), [[0, 30], [50, 60]]);
});

test("what is ready and what is missing make up the whole", () => {
  const ready: [number, number][] = [[10, 20], [40, 50]];
  assert.equal(readyIn(ready, 15, 45), 10);
  assert.equal(isReady(ready, 10, 20), true);
  assert.equal(isReady(ready, 10, 21), false);
  assert.deepEqual(missing(ready, 60), [[0, 10], [20, 40], [50, 60]]);
  assert.deepEqual(missing([], 60), [[0, 60]]);
});
