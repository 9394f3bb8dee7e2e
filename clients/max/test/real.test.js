'use strict';
// A patch with a real worker and the model that comes with DSU.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { real, temporaryFolder, writeSong } = require('../../node/testing/helpers');
const { RESULT } = require('../lib/bridge');
const { patch } = require('./helpers');

const STEMS = ['bass', 'drums', 'other', 'vocals'];

function names(folder) {
  return fs.readdirSync(folder).sort();
}

test('songs, folders and sequences are separated in one worker', async (t) => {
  const folder = temporaryFolder(t);
  const song = writeSong(path.join(folder, 'My Song.wav'));
  const max = patch(t, real({ modelsDir: path.join(folder, 'models'), offline: true }));

  max.fire('load', 'dsu_mini');
  const [, model, ...stems] = await max.heard('loaded');
  assert.deepEqual([model, [...stems].sort()], ['dsu_mini', STEMS]);
  max.fire('models');
  assert.ok((await max.heard('models')).includes('dsu_mini'));

  max.fire('option', 'stems', 'vocals', 'drums');
  max.fire('separate', ...song.split(' '));
  await max.heard('done', undefined, undefined, 2);
  assert.deepEqual(names(path.join(folder, 'stems', 'My Song')), ['drums.wav', 'vocals.wav']);
  assert.equal(max.all('progress').at(-1)[1], 100);
  assert.deepEqual(Object.keys(max.dictionaries[RESULT].stems).sort(), ['drums', 'vocals']);

  max.fire('option', 'clear');
  const music = path.join(folder, 'music');
  fs.mkdirSync(music);
  for (const name of ['a.wav', 'b.wav']) fs.copyFileSync(song, path.join(music, name));
  fs.writeFileSync(path.join(music, 'broken.wav'), 'no sound');
  max.fire('separate', music, 'dsu_mini', path.join(folder, 'all'));
  await max.heard('done', undefined, undefined, 3);
  assert.deepEqual(names(path.join(folder, 'all')), ['a', 'b']);
  assert.equal(max.all('stem', undefined, undefined, 3).length, 8);
  assert.equal((await max.heard('error'))[2], 'input_unreadable');

  max.fire('sequence', 'bsroformer:dsu_mini:vocals>bsroformer', song, path.join(folder, 'chain'));
  await max.heard('done', undefined, undefined, 4);
  assert.deepEqual(names(path.join(folder, 'chain')), ['My Song', 'vocals']);

  max.fire('status');
  assert.deepEqual(await max.heard('status', 'bsroformer'), ['status', 'bsroformer', 'ready', 'dsu_mini', 'cpu']);
  max.fire('unload');
  assert.deepEqual(await max.heard('unloaded'), ['unloaded', 1]);
  assert.equal(max.all('error').length, 1);
});

test('a running job is cancelled and leaves nothing', async (t) => {
  const folder = temporaryFolder(t);
  const song = writeSong(path.join(folder, 'long.wav'), 120);
  const max = patch(t, real({ modelsDir: path.join(folder, 'models'), offline: true }));
  max.fire('separate', song);
  await max.heard('progress');
  max.fire('cancel');
  assert.deepEqual(await max.heard('cancelled'), ['cancelled', 1]);
  assert.equal(fs.existsSync(path.join(folder, 'stems')), false);
});
