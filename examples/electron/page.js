'use strict';
const [button, cancel, bar, list] = ['separate', 'cancel', 'progress', 'stems'].map((id) => document.getElementById(id));

stems.onProgress((percent) => (bar.value = percent));
cancel.addEventListener('click', () => stems.cancel());
button.addEventListener('click', async () => {
  button.disabled = true;
  list.replaceChildren();
  const result = await stems.separate();
  button.disabled = false;
  bar.value = 0;
  if (result && result.error) list.textContent = result.error;
  for (const [name, file] of Object.entries((result && result.paths) || {})) {
    const row = list.appendChild(document.createElement('p'));
    row.textContent = name;
    const audio = row.appendChild(document.createElement('audio'));
    audio.controls = true;
    audio.src = `file://${file.split('/').map(encodeURIComponent).join('/')}`;
  }
});
