'use strict';
// The player of a report's page, against a clock that stands still until it is moved and sources that note what they are
// told. What a browser makes of it is tested in tests/browser.

const assert = require('node:assert/strict');
const path = require('node:path');
const { test } = require('node:test');
const page = path.resolve(__dirname, '../../../../utils/audio/report/page');
const { Player, gainsOf, timeOf } = require(path.join(page, 'player.js'));

const RATE = 1000;
const LEAD_S = 0.05;
const STEP_S = 10;

class Parameter {
  value = 1;
  setValueAtTime() {}
  linearRampToValueAtTime() {}
  cancelScheduledValues() {}
  setTargetAtTime(value) {
    this.value = value;
  }
}

class Context {
  currentTime = 0;
  sampleRate = RATE;
  destination = {};
  sources = [];
  decoded = [];
  hold = null; // a promise that decoding waits for

  async resume() {}

  createGain() {
    return { gain: new Parameter(), connect() {}, disconnect() {} };
  }

  createBufferSource() {
    const source = {
      connect() {},
      start: (when, offset) => Object.assign(source, { when, offset }),
      stop: (when) => Object.assign(source, { stopped: when }),
    };
    this.sources.push(source);
    return source;
  }

  async decodeAudioData(file) {
    this.decoded.push(file);
    await this.hold;
    return { ...file, duration: STEP_S + 2 * LEAD_S };
  }

  get heard() {
    return this.sources.filter((source) => source.stopped === undefined);
  }
}

function song(tracks = 3, clips = 60) {
  return {
    tracks: Array.from({ length: tracks }, () => ({ solo: false, muted: false, volume: 1 })),
    clips,
    step_s: STEP_S,
    lead_s: LEAD_S,
    end_s: clips * STEP_S,
    read: (track, clip) => ({ track, clip }),
  };
}

function open(...size) {
  const context = new Context();
  const player = new Player(song(...size), () => context);
  return { context, player };
}

const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-9, `${found} is not ${wanted}`);

/** Where in the song a source begins. */
const placeOf = (source) => source.buffer.clip * STEP_S - LEAD_S + source.offset;

test('all tracks start at one instant, at one place of the song', async () => {
  const { context, player } = open(5);
  await player.seek(120.4);
  await player.play();
  const [first] = context.heard;
  assert.deepEqual(context.heard.map((source) => source.buffer.track), [0, 1, 2, 3, 4]);
  for (const source of context.heard) {
    assert.deepEqual([source.when, source.offset, source.buffer.clip], [first.when, first.offset, 12]);
  }
  near(placeOf(first), 120.4);
  assert.ok(first.when > context.currentTime);
  near(first.when * RATE, Math.round(first.when * RATE));
});

test('clips follow each other at their places on the same clock', async () => {
  const { context, player } = open(2, 6);
  await player.play();
  const origin = context.heard[0].when;
  for (let time = 0; time < 59; time += 0.25) {
    context.currentTime = time;
    await player.advance();
  }
  assert.deepEqual(context.sources.map((source) => source.buffer.clip), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  for (const source of context.sources) near(source.when - origin, placeOf(source));
});

test('at the end it stops and goes back to the beginning', async () => {
  const { context, player } = open(1, 1);
  await player.play();
  context.currentTime = 10.2;
  await player.advance();
  assert.equal(player.playing, false);
  assert.equal(player.position, 0);
});

test('only clips around the position are decoded', async () => {
  const { context, player } = open(2);
  await player.seek(300);
  await player.play();
  for (let time = 0; time < 100; time += 1) {
    context.currentTime = time;
    await player.advance();
    assert.ok(player._decoded.size <= 3);
  }
  assert.deepEqual(context.decoded.slice(0, 3), [{ track: 0, clip: 30 }, { track: 1, clip: 30 }, { track: 0, clip: 31 }]);
  assert.equal(new Set(context.decoded.map(({ clip }) => clip)).size, 11);
});

test('a pause keeps the position, and silences what was to come', async () => {
  const { context, player } = open();
  await player.play();
  const begin = context.heard[0].when;
  context.currentTime = begin + 3.5;
  player.pause();
  near(player.position, 3.5);
  assert.deepEqual(context.heard, []);
  context.currentTime += 60;
  near(player.position, 3.5);
  await player.play();
  near(placeOf(context.heard[0]), 3.5);
});

test('a jump while playing stops one place and starts another', async () => {
  const { context, player } = open();
  await player.play();
  context.currentTime = 2;
  await player.seek(41);
  assert.equal(context.heard.length, 3);
  for (const source of context.heard) near(placeOf(source), 41);
  near(player.position, 41);
});

test('what was still loading when another place was chosen is never heard', async () => {
  const { context, player } = open();
  let loaded;
  context.hold = new Promise((resolve) => {
    loaded = resolve;
  });
  const starting = player.play();
  const jumping = player.seek(200);
  assert.equal(player.waiting, true);
  loaded();
  await Promise.all([starting, jumping]);
  assert.equal(player.waiting, false);
  assert.deepEqual([...new Set(context.sources.map((source) => source.buffer.clip))], [20]);
});

test('a clip that comes late begins in its middle, in all tracks alike', async () => {
  const { context, player } = open();
  await player.play();
  const begin = context.heard[0].when;
  context.currentTime = 12;
  await player.advance();
  const late = context.sources.filter((source) => source.buffer.clip === 1);
  assert.equal(late.length, 3);
  for (const source of late) {
    assert.ok(source.when > 12);
    near(placeOf(source), source.when - begin);
    assert.equal(source.when, late[0].when);
  }
});

test('positions outside of the song are its ends', async () => {
  const { player } = open(1, 2);
  await player.seek(-3);
  assert.equal(player.position, 0);
  await player.seek(1000);
  assert.equal(player.position, 20);
});

test('a clip that cannot be decoded is an error, and playing ends', async () => {
  const { context, player } = open();
  context.hold = Promise.reject(new Error('no such codec'));
  await assert.rejects(player.play(), /no such codec/);
  assert.equal(player.playing, false);
});

test('solo is stronger than mute, and volume counts in both', () => {
  const track = (solo, muted, volume = 1) => ({ solo, muted, volume });
  assert.deepEqual(gainsOf([track(false, false, 0.5), track(false, true)]), [0.5, 0]);
  assert.deepEqual(gainsOf([track(false, false), track(true, true, 0.3), track(true, false)]), [0, 0.3, 1]);
});

test('changes are heard at once', async () => {
  const { player } = open(2);
  await player.play();
  player.tracks[0].muted = true;
  player.mix();
  assert.deepEqual(player._gains.map(({ gain }) => gain.value), [0, 1]);
  player.volume = 0.4;
  assert.equal(player._master.gain.value, 0.4);
});

test('times have minutes, and hours where there are any', () => {
  assert.deepEqual([0, 75.9, 3600, 7325].map(timeOf), ['0:00', '1:15', '1:00:00', '2:02:05']);
});
