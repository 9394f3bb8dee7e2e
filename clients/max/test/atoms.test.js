'use strict';
const assert = require('node:assert/strict');
const { test } = require('node:test');
const { takePath, toMax, toNative, volumeRoot } = require('../lib/atoms');

const rootOf = (name) => (name === 'Macintosh HD' ? '' : `/Volumes/${name}`);
const MAC = { platform: 'darwin', home: '/Users/me', rootOf };
const WINDOWS = { platform: 'win32', home: 'C:\\Users\\me' };

for (const [text, system, native] of [
  ['Macintosh HD:/Users/me/My Song.wav', MAC, '/Users/me/My Song.wav'],
  ['Samples:/Loops/a.wav', MAC, '/Volumes/Samples/Loops/a.wav'],
  ['/Users/me/a:b.wav', MAC, '/Users/me/a:b.wav'],
  ['~/Music/a.wav', MAC, '/Users/me/Music/a.wav'],
  ['~', MAC, '/Users/me'],
  ['/~me/a.wav', MAC, '/~me/a.wav'],
  ['C:/Users/me/My Song.wav', WINDOWS, 'C:\\Users\\me\\My Song.wav'],
  ['~/a.wav', WINDOWS, 'C:\\Users\\me\\a.wav'],
  ['/home/me/Größe.wav', { platform: 'linux' }, '/home/me/Größe.wav'],
  ['/music/Macintosh HD:/a.wav', { platform: 'linux' }, '/music/Macintosh HD:/a.wav'],
]) {
  test(`${text} is ${native} on ${system.platform}`, () => assert.equal(toNative(text, system), native));
}

test('a volume is the root where the system says so, and otherwise where volumes are', () => {
  assert.equal(volumeRoot('Macintosh HD', () => '/'), '');
  assert.equal(volumeRoot('Samples', (place) => place), '/Volumes/Samples');
  const missing = () => {
    throw new Error('ENOENT');
  };
  assert.equal(volumeRoot('Gone', missing), '/Volumes/Gone');
});

test('Max gets its slashes on Windows, and elsewhere the path as it is', () => {
  assert.equal(toMax('C:\\a b\\c.wav', 'win32'), 'C:/a b/c.wav');
  assert.equal(toMax('/a\\b.wav', 'linux'), '/a\\b.wav');
});

test('a path that Max has split at its spaces is found, and what follows it is left', () => {
  const exists = (file) => file === toNative('/music/My 2 Songs.wav');
  const atoms = ['/music/My', 2, 'Songs.wav', 'htdemucs', '/out'];
  assert.deepEqual(takePath(atoms, exists), { file: toNative('/music/My 2 Songs.wav'), rest: ['htdemucs', '/out'] });
  assert.throws(() => takePath(['/no.wav'], exists), /There is no file .*no\.wav/);
  assert.throws(() => takePath([], exists), /no path/);
  assert.throws(() => takePath([''], exists), /no path/);
});
