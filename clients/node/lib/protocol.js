// Written by `python -m clients.node.generate_types` from the types in utils/core. Do not edit.
'use strict';

exports.PROTOCOL_VERSION = 1;

exports.WORKERS = {
  "demucs": {
    "name": "dsu-demucs",
    "script": "workers/demucs_worker.py"
  },
  "bsroformer": {
    "name": "dsu-bsroformer",
    "script": "workers/bsroformer_worker.py"
  },
  "audio-separator": {
    "name": "dsu-audio-separator",
    "script": "workers/audio_separator_worker.py"
  },
  "audiosep": {
    "name": "dsu-audiosep",
    "script": "workers/audiosep_worker.py"
  },
  "denoise": {
    "name": "dsu-denoise",
    "script": "workers/denoise_worker.py"
  },
  "dsu": {
    "name": "dsu",
    "script": "workers/dsu_worker.py"
  }
};

exports.COMMANDS = {
  "ping": {
    "job": false,
    "ends": [
      "pong"
    ]
  },
  "get_status": {
    "job": false,
    "ends": [
      "status"
    ]
  },
  "cancel": {
    "job": false,
    "ends": [
      "cancel_requested"
    ]
  },
  "seek": {
    "job": false,
    "ends": [
      "seek_requested"
    ]
  },
  "describe": {
    "job": false,
    "ends": [
      "description"
    ]
  },
  "doctor": {
    "job": true,
    "ends": [
      "diagnosis",
      "cancelled"
    ]
  },
  "exit": {
    "job": false,
    "ends": [
      "exiting"
    ]
  },
  "list_models": {
    "job": false,
    "ends": [
      "models"
    ]
  },
  "load_model": {
    "job": true,
    "ends": [
      "model_loaded",
      "cancelled"
    ]
  },
  "preload_model": {
    "job": true,
    "ends": [
      "model_preloaded",
      "cancelled"
    ]
  },
  "download_model": {
    "job": true,
    "ends": [
      "model_downloaded",
      "cancelled"
    ]
  },
  "separate": {
    "job": true,
    "ends": [
      "done",
      "cancelled"
    ]
  },
  "list_cached": {
    "job": false,
    "ends": [
      "cached_models"
    ]
  },
  "clear_cache": {
    "job": false,
    "ends": [
      "cache_cleared"
    ]
  },
  "set_cache_size": {
    "job": false,
    "ends": [
      "cache_size_updated"
    ]
  },
  "set_storage_type": {
    "job": false,
    "ends": [
      "storage_configured"
    ]
  },
  "batch": {
    "job": true,
    "ends": [
      "done",
      "cancelled"
    ]
  },
  "apollo": {
    "job": true,
    "ends": [
      "done",
      "cancelled"
    ]
  },
  "load_apollo": {
    "job": true,
    "ends": [
      "model_loaded",
      "cancelled"
    ]
  },
  "package_list_models": {
    "job": false,
    "ends": [
      "package_models"
    ]
  },
  "package_load_model": {
    "job": true,
    "ends": [
      "model_loaded",
      "cancelled"
    ]
  },
  "package_separate": {
    "job": true,
    "ends": [
      "done",
      "cancelled"
    ]
  },
  "denoise": {
    "job": true,
    "ends": [
      "done",
      "cancelled"
    ]
  },
  "list_recipes": {
    "job": false,
    "ends": [
      "recipes"
    ]
  }
};

exports.METHODS = {
  "ping": "ping",
  "getStatus": "get_status",
  "seek": "seek",
  "describe": "describe",
  "doctor": "doctor",
  "listModels": "list_models",
  "loadModel": "load_model",
  "preloadModel": "preload_model",
  "downloadModel": "download_model",
  "separate": "separate",
  "listCached": "list_cached",
  "clearCache": "clear_cache",
  "setCacheSize": "set_cache_size",
  "setStorageType": "set_storage_type",
  "batch": "batch",
  "apollo": "apollo",
  "loadApollo": "load_apollo",
  "packageListModels": "package_list_models",
  "packageLoadModel": "package_load_model",
  "packageSeparate": "package_separate",
  "denoise": "denoise",
  "listRecipes": "list_recipes"
};

exports.EVENTS = [
  "denoising",
  "downloading",
  "file_done",
  "loading",
  "loading_model",
  "preloading_model",
  "progress",
  "ready",
  "restoring",
  "segment",
  "separating",
  "shutdown",
  "streaming"
];
