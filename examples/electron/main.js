'use strict';
// The window asks, this process separates: a sandboxed window has no Node.js, and a worker must outlive it.
const { app, BrowserWindow, dialog, ipcMain } = require('electron');
const path = require('node:path');
const { WorkerPool } = require('dsu-client');

// DSU_DIR names the folder of the programs; in a checkout they are found by themselves. `dsu-client/runtime` fetches them.
const pool = new WorkerPool({ handleSignals: false });
let running = null;

ipcMain.handle('separate', async ({ sender }) => {
  const { filePaths } = await dialog.showOpenDialog({ properties: ['openFile'] });
  if (filePaths.length === 0) return null;
  running = new AbortController();
  const request = { input: filePaths[0], output: path.join(app.getPath('music'), 'Stems'), model: 'dsu_mini' };
  const onProgress = ({ percent }) => sender.isDestroyed() || sender.send('progress', percent);
  try {
    return { paths: (await pool.separate('dsu', request, { onProgress, signal: running.signal })).paths };
  } catch (error) {
    return { error: error.message, code: error.code };
  }
});
ipcMain.handle('cancel', () => running && running.abort());

app.whenReady().then(() => {
  const window = new BrowserWindow({ width: 640, height: 420, webPreferences: { preload: path.join(__dirname, 'preload.js') } });
  window.loadFile(path.join(__dirname, 'index.html'));
});
let quitting = false;
app.on('will-quit', (event) => {
  if (quitting) return;
  quitting = true;
  event.preventDefault();
  pool.shutdown().finally(() => app.quit());
});
