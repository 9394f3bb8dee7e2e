'use strict';
// Stands in for `electron` in the examples of the README: one process is main and renderer. RELEASE is where the server of
// the examples really is, SONG is what the user chooses, and DATA is where everything goes.

const { EventEmitter } = require('node:events');
const path = require('node:path');

const { DATA, RELEASE, SONG } = process.env;
const EXAMPLE = 'https://example.com/dsu/v0.1.0';

const exampleFetch = (url, options) => realFetch(String(url).replace(EXAMPLE, RELEASE), options);
const realFetch = globalThis.fetch;
globalThis.fetch = exampleFetch; // for examples that do without Electron

const handlers = new Map();
const ipcRenderer = new EventEmitter();
ipcRenderer.invoke = (channel) => handlers.get(channel)({ sender });
const sender = { isDestroyed: () => false, send: (channel, ...words) => ipcRenderer.emit(channel, {}, ...words) };

const app = new EventEmitter();
app.getPath = (name) => path.join(DATA, name);
app.quit = () => {
  let prevented = false;
  app.emit('will-quit', { preventDefault: () => (prevented = true) });
  if (!prevented) process.exit(0);
};

module.exports = {
  app,
  contextBridge: { exposeInMainWorld: (name, value) => (globalThis[name] = value) },
  dialog: { showOpenDialog: async () => ({ filePaths: [SONG] }) },
  ipcMain: { handle: (channel, handler) => handlers.set(channel, handler) },
  ipcRenderer,
  net: { fetch: exampleFetch },
};
