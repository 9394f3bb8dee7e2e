// Joins the player to the page: buttons, sliders, keys, and the line that moves over the plots.

const STEP_BACK_S = 5;
const UPDATE_MS = 250;

const byId = (id) => document.getElementById(id);
const area = byId('tracks');
const rows = [...area.querySelectorAll('.track')];
const { duration, playable, rate, step, lead } = Object.fromEntries(
  Object.entries(area.dataset).map(([name, value]) => [name, Number(value)]),
);
const clips = rows.map(() => []);
for (const clip of document.querySelectorAll('script[data-clip]')) clips[clip.dataset.track][clip.dataset.clip] = clip;

const player = new Player(
  {
    tracks: rows.map((row, index) => ({ solo: false, muted: index === 0, volume: 1 })), // the stems are the mix
    clips: clips[0].length,
    step_s: step,
    lead_s: lead,
    end_s: playable,
    read: (track, clip) => Uint8Array.from(atob(clips[track][clip].textContent), (letter) => letter.charCodeAt(0)).buffer,
  },
  () => new AudioContext({ sampleRate: rate }),
);

let last = Math.min(1, rows.length - 1); // the track that was used last
let dragged = false;
let followed = false;

const attempt = (promise) =>
  promise.catch((error) => {
    player.pause();
    byId('notice').textContent = `This browser cannot play the stems: ${error.message}`;
    show();
  });
const toggle = () => (player.playing ? player.pause() : attempt(player.play()));
const seek = (position) => attempt(player.seek(position));

function show() {
  byId('play').textContent = player.waiting ? 'Loading…' : player.playing ? 'Pause' : 'Play';
  const alone = player.tracks.some((track) => track.solo);
  rows.forEach((row, index) => {
    const { solo, muted } = player.tracks[index];
    row.querySelector('.solo').setAttribute('aria-pressed', solo);
    row.querySelector('.mute').setAttribute('aria-pressed', muted);
    row.classList.toggle('silenced', alone ? !solo : muted);
  });
  showPosition();
}

function showPosition() {
  const position = player.position;
  const text = `${timeOf(position)} / ${timeOf(playable)}`;
  area.style.setProperty('--at', duration > 0 ? position / duration : 0);
  if (byId('time').textContent !== text) {
    byId('time').textContent = text;
    byId('seek').setAttribute('aria-valuetext', text);
  }
  if (!dragged) byId('seek').value = position;
}

function follow() {
  showPosition();
  followed = player.playing;
  if (followed) requestAnimationFrame(follow);
}

function change(index, what) {
  last = index;
  player.tracks[index][what] = !player.tracks[index][what];
  player.mix();
}

function changeAlone(index) {
  player.tracks.forEach((track, other) => {
    if (other !== index) track.solo = false;
  });
  change(index, 'solo');
}

player.onchange = () => {
  show();
  if (player.playing && !followed) follow();
};
setInterval(() => attempt(player.advance()), UPDATE_MS);

byId('play').addEventListener('click', toggle);
byId('seek').addEventListener('input', () => {
  dragged = true;
  byId('time').textContent = `${timeOf(byId('seek').valueAsNumber)} / ${timeOf(playable)}`;
});
byId('seek').addEventListener('change', () => {
  dragged = false;
  seek(byId('seek').valueAsNumber);
});
byId('volume').addEventListener('input', () => {
  player.volume = byId('volume').valueAsNumber;
});

rows.forEach((row, index) => {
  row.querySelector('.solo').addEventListener('click', () => change(index, 'solo'));
  row.querySelector('.mute').addEventListener('click', () => change(index, 'muted'));
  row.querySelector('.volume').addEventListener('input', (event) => {
    last = index;
    player.tracks[index].volume = event.target.valueAsNumber;
    player.mix();
  });
  const plot = row.querySelector('.plot');
  plot.addEventListener('click', (event) => {
    const { left, width } = plot.getBoundingClientRect();
    seek(((event.clientX - left) / width) * duration);
  });
});

// After a click with the mouse, keys are for the player again; who moves with the keyboard stays where they are.
document.addEventListener('click', (event) => {
  if (event.detail > 0 && event.target instanceof HTMLButtonElement) event.target.blur();
});

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const slides = event.target instanceof HTMLInputElement;
  const key = event.key.toLowerCase();
  const digit = /^[0-9]$/.test(key) ? Number(key) : -1;
  if (key === ' ' && !(event.target instanceof HTMLButtonElement)) toggle();
  else if (digit >= 0 && digit < rows.length) changeAlone(digit);
  else if (key === 'm') change(last, 'muted');
  else if (key === 'arrowleft' && !slides) seek(player.position - STEP_BACK_S);
  else if (key === 'arrowright' && !slides) seek(player.position + STEP_BACK_S);
  else if (key === 'home' && !slides) seek(0);
  else return;
  event.preventDefault();
});

byId('transport').hidden = false;
byId('keys').hidden = false;
for (const mixer of area.querySelectorAll('.mixer')) mixer.hidden = false;
show();
