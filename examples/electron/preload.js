'use strict';
const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('stems', {
  separate: () => ipcRenderer.invoke('separate'),
  cancel: () => ipcRenderer.invoke('cancel'),
  onProgress: (listener) => ipcRenderer.on('progress', (_event, percent) => listener(percent)),
});
