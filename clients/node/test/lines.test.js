'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { LineReader, parseLine } = require('../lib/lines');

function read(chunks, maxBytes = 1000) {
  const lines = [];
  const tooLong = [];
  const reader = new LineReader((line) => lines.push(line), { maxBytes, onTooLong: (start) => tooLong.push(start) });
  chunks.forEach((chunk) => reader.push(Buffer.from(chunk)));
  reader.end();
  return { lines, tooLong };
}

test('lines are the same wherever the chunks are cut, also inside characters', () => {
  const bytes = Buffer.from('{"a":"ö"}\r\n\n{"b":"🎵"}\n{"c":3}');
  for (let first = 0; first <= bytes.length; first += 1) {
    for (const second of [first, Math.min(first + 1, bytes.length), bytes.length]) {
      const chunks = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
      assert.deepEqual(read(chunks).lines, ['{"a":"ö"}', '{"b":"🎵"}', '{"c":3}']);
    }
  }
});

test('a line that is too long is dropped and reported once, and the next one is read', () => {
  const { lines, tooLong } = read(['before\n', 'x'.repeat(600), 'x'.repeat(600), 'x'.repeat(600), '\nafter\n']);
  assert.deepEqual(lines, ['before', 'after']);
  assert.deepEqual(tooLong, ['x'.repeat(200)]);
});

test('a line of just the limit is whole', () => {
  assert.deepEqual(read(['y'.repeat(1000) + '\n']), { lines: ['y'.repeat(1000)], tooLong: [] });
});

test('only objects with a status are lines of the protocol', () => {
  assert.deepEqual(parseLine('{"status":"done"}'), { status: 'done' });
  for (const text of ['{', 'done', '[1]', '{"a":1}', '{"status":3}', '"status"', 'null']) assert.equal(parseLine(text), null);
});
