'use strict';
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { toNative } = require('../lib/atoms');
const { LISTS, Options, withModel } = require('../lib/options');
const { parseSequence } = require('../lib/sequence');

function options(...messages) {
  const all = new Options();
  for (const [key, ...atoms] of messages) all.set(key, atoms);
  return all;
}

test('atoms become what fields hold', () => {
  const all = options(
    ['stems', 'vocals'],
    ['ensemble_weights', 2, 1],
    ['texts', 'a dog', 808],
    ['use_tta', 'true'],
    ['overlap', 4],
    ['name_template', '{track}', '{stem}'],
    ['preview', 30, 10],
    ['model_path', '/my', 'nets/a.ckpt'],
  );
  assert.deepEqual(all.fieldsFor('bsroformer'), {
    stems: ['vocals'],
    ensemble_weights: [2, 1],
    texts: ['a dog', '808'],
    use_tta: true,
    overlap: 4,
    name_template: '{track} {stem}',
    preview: { start: 30, duration: 10 },
    model_path: toNative('/my nets/a.ckpt'),
  });
  assert.deepEqual(all.modelFieldsFor('bsroformer'), { model_path: toNative('/my nets/a.ckpt') });
});

test('an option may be for one worker or step, where it counts more', () => {
  const all = options(['vr.format', 'flac'], ['format', 'wav'], ['audio-separator.overlap', 1]);
  assert.deepEqual(all.fieldsFor('vr'), { format: 'flac' });
  assert.deepEqual(all.fieldsFor('apollo'), { format: 'wav' });
  assert.deepEqual(all.fieldsFor('audio-separator'), { format: 'wav', overlap: 1 });
  assert.throws(() => all.set('vocoder.format', ['wav']), /is not an option.*apollo/);
  assert.throws(() => all.set('two words', ['x']), /is not an option/);
});

test('a model that a message names counts more than what options say of networks', () => {
  const fields = { model_path: '/own.ckpt', ensemble: ['a', 'b'], model: 'old', repo: '/nets', format: 'flac' };
  assert.deepEqual(withModel(fields, 'new'), { model: 'new', repo: '/nets', format: 'flac' });
  assert.deepEqual(withModel(fields, undefined), fields);
});

test('options are forgotten one by one, or all', () => {
  const all = options(['format', 'flac'], ['quality', 'best']);
  all.set('format', []);
  assert.deepEqual(all.fieldsFor('demucs'), { quality: 'best' });
  all.clear();
  assert.deepEqual(all.fieldsFor('demucs'), {});
});

test('the fields of the protocol that are lists are known as such', () => {
  const folder = path.resolve(__dirname, '../../../docs/reference/requests');
  const pages = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name), 'utf8'));
  const sections = pages.flatMap((text) => text.split(/^### /m)).filter((text) => /^(separate|apollo)\n/.test(text));
  const rows = sections.flatMap((text) => [...text.matchAll(/^\| `(\w+)` \| list of/gm)].map(([, field]) => field));
  // `inputs` is what `separate` sends for a folder; `shares` are objects, which no message can have.
  const own = ['inputs', 'shares'];
  assert.deepEqual([...new Set(rows)].filter((field) => !own.includes(field)).sort(), Object.keys(LISTS).sort());
});

test('a sequence is steps with models and the stems that go on', () => {
  const apollo = { name: 'apollo', worker: 'audio-separator', cmd: 'apollo' };
  const vr = { name: 'vr', worker: 'audio-separator', model: undefined, take: 'Instrumental' };
  assert.deepEqual(parseSequence('vr,apollo'), [vr, { ...apollo, model: undefined, take: undefined }]);
  assert.deepEqual(parseSequence('bsroformer:vocals_melband:vocals > apollo:apollo_lew_uni:x'), [
    { name: 'bsroformer', worker: 'bsroformer', model: 'vocals_melband', take: 'vocals' },
    { ...apollo, model: 'apollo_lew_uni', take: undefined },
  ]);
  assert.deepEqual(parseSequence('vr::Vocals>mdx')[0], { ...vr, take: 'Vocals' });
  assert.throws(() => parseSequence('vr>apolo'), /no step `apolo`.*apollo/);
});
