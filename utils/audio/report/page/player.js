'use strict';

// Plays several tracks in step, of any length in little memory: only clips around the position are decoded, and each clip
// of all tracks starts at the same instant of one clock. Knows nothing of the page, so that it can be tested without one.

const AHEAD_S = 8; // clips that begin within this time are prepared
const KEPT_BEHIND = 1; // clips that stay decoded, for a short way back
const MARGIN_S = 0.05; // between asking for sound and hearing it
const FADE_S = 0.01; // so that nothing clicks

/** How loud each track is: tracks that play solo silence the others, also where they are muted themselves. */
function gainsOf(tracks) {
  const alone = tracks.some((track) => track.solo);
  return tracks.map((track) => ((alone ? track.solo : !track.muted) ? track.volume : 0));
}

class Player {
  /**
   * @param {object} song
   * @param {{solo: boolean, muted: boolean, volume: number}[]} song.tracks
   * @param {number} song.clips how many clips each track has
   * @param {number} song.step_s how far apart clips begin
   * @param {number} song.lead_s how long before its place a clip begins
   * @param {number} song.end_s
   * @param {(track: number, clip: number) => ArrayBuffer} song.read a clip as a file
   * @param {() => AudioContext} makeContext called once, when something is to be heard
   */
  constructor(song, makeContext) {
    this.song = song;
    this.tracks = song.tracks;
    this.playing = false;
    this.waiting = false;
    this.onchange = () => {};
    this._makeContext = makeContext;
    this._context = null;
    this._position = 0; // while nothing is heard
    this._origin = null; // the time of the clock at which the song begins; null while nothing is heard
    this._session = 0; // grows with each start and stop, so that what was begun for an earlier one is dropped
    this._next = 0; // the first clip that is not prepared
    this._sources = new Set();
    this._decoded = new Map();
    this._volume = 1;
  }

  /** Where in the song it is, in seconds. */
  get position() {
    if (this._origin === null) return this._position;
    return Math.min(Math.max(this._context.currentTime - this._origin, this._position), this.song.end_s);
  }

  async play() {
    if (this.playing) return;
    if (this._position >= this.song.end_s) this._position = 0;
    this.playing = true;
    this._open();
    await this._start();
  }

  pause() {
    if (!this.playing) return;
    this._stop();
    this.playing = false;
    this.onchange();
  }

  async seek(position) {
    if (this.playing) this._stop();
    this._position = Math.min(Math.max(position, 0), this.song.end_s);
    this.onchange();
    if (this.playing) await this._start();
  }

  set volume(value) {
    this._volume = value;
    if (this._context) this._ramp(this._master.gain, value);
  }

  /** Call it after a track has changed. */
  mix() {
    if (this._context) gainsOf(this.tracks).forEach((gain, track) => this._ramp(this._gains[track].gain, gain));
    this.onchange();
  }

  /** Prepares what is heard soon. To be called a few times a second while playing. */
  async advance() {
    if (this._origin === null) return;
    if (this.position >= this.song.end_s) {
      this._stop();
      this.playing = false;
      this._position = 0;
      this.onchange();
      return;
    }
    const session = this._session;
    while (this._next < this.song.clips && this._next * this.song.step_s - this.position < AHEAD_S) {
      const clip = this._next++;
      const buffers = await this._decode(clip);
      if (session !== this._session) return;
      this._schedule(clip, buffers);
    }
  }

  _open() {
    if (this._context) return;
    this._context = this._makeContext();
    this._master = this._context.createGain();
    this._master.gain.value = this._volume;
    this._master.connect(this._context.destination);
    this._gains = gainsOf(this.tracks).map((value) => {
      const gain = this._context.createGain();
      gain.gain.value = value;
      gain.connect(this._master);
      return gain;
    });
  }

  async _start() {
    const session = ++this._session;
    this.waiting = true;
    this.onchange();
    try {
      await this._context.resume();
      const clip = Math.min(Math.floor(this._position / this.song.step_s), this.song.clips - 1);
      const buffers = await this._decode(clip);
      if (session !== this._session) return;
      const rate = this._context.sampleRate;
      const begin = Math.ceil((this._context.currentTime + MARGIN_S) * rate) / rate;
      this._origin = begin - this._position;
      this._next = clip + 1;
      this._schedule(clip, buffers);
    } catch (error) {
      if (session === this._session) this.playing = false;
      throw error;
    } finally {
      if (session === this._session) {
        this.waiting = false;
        this.onchange();
      }
    }
    await this.advance();
  }

  /** Starts a clip of all tracks at the same instant; one that is late, or that is entered in its middle, within it. */
  _schedule(clip, buffers) {
    const due = this._origin + clip * this.song.step_s - this.song.lead_s;
    const earliest = Math.max(this._context.currentTime + MARGIN_S / 2, this._origin + this._position);
    const when = Math.max(due, earliest);
    buffers.forEach((buffer, track) => {
      if (when - due >= buffer.duration) return;
      const source = this._context.createBufferSource();
      const fade = this._context.createGain();
      source.buffer = buffer;
      source.connect(fade);
      fade.connect(this._gains[track]);
      if (when > due) {
        fade.gain.setValueAtTime(0, when);
        fade.gain.linearRampToValueAtTime(1, when + FADE_S);
      }
      source.start(when, when - due);
      const entry = { source, fade };
      this._sources.add(entry);
      source.onended = () => {
        this._sources.delete(entry);
        fade.disconnect();
      };
    });
  }

  _stop() {
    this._position = this.position;
    this._origin = null;
    this._session += 1;
    const now = this._context.currentTime;
    for (const { source, fade } of this._sources) {
      fade.gain.cancelScheduledValues(now);
      fade.gain.setTargetAtTime(0, now, FADE_S / 3);
      source.stop(now + 2 * FADE_S);
    }
    this._sources.clear();
  }

  /** A clip of all tracks. Those far from it are forgotten. */
  _decode(clip) {
    for (const other of this._decoded.keys()) {
      if (other < clip - KEPT_BEHIND || other > clip + 1) this._decoded.delete(other);
    }
    if (!this._decoded.has(clip)) {
      const files = this.tracks.map((_, track) => this._context.decodeAudioData(this.song.read(track, clip)));
      const buffers = Promise.all(files);
      buffers.catch(() => this._decoded.delete(clip));
      this._decoded.set(clip, buffers);
    }
    return this._decoded.get(clip);
  }

  _ramp(parameter, value) {
    parameter.setTargetAtTime(value, this._context.currentTime, FADE_S / 3);
  }
}

/** Minutes and seconds, and hours where there are any. */
function timeOf(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

if (typeof module === 'object') module.exports = { Player, gainsOf, timeOf };
