'use strict';
// The help patch: a file that Max can open, with cords that fit, boxes apart, and every message of the script.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { MESSAGES } = require('../lib/messages');
const { STEPS, parseSequence } = require('../lib/sequence');

const { patcher } = JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'dsu.maxpat'), 'utf8'));
const readme = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
const boxes = new Map(patcher.boxes.map(({ box }) => [box.id, box]));
const lines = patcher.lines.map(({ patchline }) => patchline);
const names = MESSAGES.map(({ name }) => name);
const script = [...boxes.values()].find(({ text = '' }) => text.startsWith('node.script dsu.js'));

/** Do two rectangles share any point inside? */
function overlap([x, y, width, height], [x2, y2, width2, height2]) {
  return x < x2 + width2 && x2 < x + width && y < y2 + height2 && y2 < y + height;
}

/** The boxes whose messages reach the script, as what is sent. */
function sent() {
  const sources = lines.filter(({ destination: [id] }) => id === script.id).map(({ source: [id] }) => boxes.get(id));
  return sources.map(({ maxclass, text }) => (maxclass === 'message' ? text : text.replace(/^prepend /, '')));
}

test('it is a patch of Max 8 with one name for each box', () => {
  assert.equal(patcher.appversion.major, 8);
  assert.equal(boxes.size, patcher.boxes.length);
  for (const box of boxes.values()) {
    assert.equal(box.patching_rect.length, 4, box.id);
    assert.equal(box.outlettype?.length ?? 0, box.numoutlets, box.id);
  }
});

test('every cord goes from an outlet to an inlet that there is', () => {
  for (const { source, destination } of lines) {
    assert.ok(source[1] < boxes.get(source[0]).numoutlets, `${source}`);
    assert.ok(destination[1] < boxes.get(destination[0]).numinlets, `${destination}`);
  }
});

test('every object but a comment is connected', () => {
  const connected = new Set(lines.flatMap(({ source, destination }) => [source[0], destination[0]]));
  const alone = [...boxes.values()].filter(({ id, maxclass }) => maxclass !== 'comment' && !connected.has(id));
  // A dictionary is found by its name.
  assert.deepEqual(alone.map(({ text }) => text), ['dict dsu_result']);
});

for (const [place, rect] of [['patching', 'patching_rect'], ['presentation', 'presentation_rect']]) {
  test(`no boxes overlap (${place})`, () => {
    const placed = [...boxes.values()].filter((box) => box[rect]);
    const after = (box) => placed.slice(placed.indexOf(box) + 1);
    const pairs = placed.flatMap((a) => after(a).filter((b) => overlap(a[rect], b[rect])).map((b) => [a.id, b.id]));
    assert.ok(placed.length > 10);
    assert.deepEqual(pairs, []);
  });
}

test('what is sent to the script is what it, or node.script, understands', () => {
  const unknown = sent().filter((text) => ![...names, 'script'].includes(text.split(' ')[0]));
  assert.deepEqual(unknown, []);
  const sequences = [...sent(), ...readme.split(/\n */)].filter((text) => /^sequence \w+:/.test(text));
  assert.equal(sequences.length, 2);
  for (const text of sequences) parseSequence(text.split(' ')[1]);
});

test('every message is in the patch and, with its form, in the README', () => {
  const inPatch = new Set(sent().map((text) => text.split(' ')[0]));
  assert.deepEqual(names.filter((name) => !inPatch.has(name)), []);
  assert.deepEqual(MESSAGES.filter(({ usage }) => !readme.includes(`\`${usage}\``)).map(({ usage }) => usage), []);
  assert.deepEqual(Object.keys(STEPS).filter((step) => !readme.includes(`\`${step}\``)), []);
});

test('everything that is sent to a patch is in the README, and the patch takes apart nothing else', () => {
  const lib = path.join(__dirname, '..', 'lib');
  const source = fs.readdirSync(lib).map((file) => fs.readFileSync(path.join(lib, file), 'utf8')).join('');
  const tags = new Set([...source.matchAll(/(?:say\(|return \[|=> \[)'(\w+)'/g)].map(([, tag]) => tag));
  assert.ok(tags.has('stem') && tags.has('log'));
  assert.deepEqual([...tags].filter((tag) => !readme.includes(`\`${tag} `) && !readme.includes(`\`${tag}\``)), []);
  const routed = [...boxes.values()].find(({ text = '' }) => text.startsWith('route ')).text.split(' ').slice(1);
  assert.deepEqual(routed.filter((tag) => !tags.has(tag)), []);
});
