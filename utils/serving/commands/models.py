"""Commands about models: which there are, load, preload, download."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.job import Job
from utils.serving.commands import Context, Group

GROUP = Group("models")


@GROUP.control(requests.ListModels, replies.Models)
def list_models(context: Context, request: requests.ListModels) -> replies.Models:
    return context.engine.list_models(request)


@GROUP.job(requests.LoadModel, replies.ModelLoaded, events=(replies.LoadingModel, replies.Downloading))
def load_model(context: Context, request: requests.LoadModel, job: Job) -> replies.ModelLoaded:
    return context.engine.load_model(request, job)


@GROUP.job(requests.PreloadModel, replies.ModelPreloaded, events=(replies.PreloadingModel, replies.Downloading))
def preload_model(context: Context, request: requests.PreloadModel, job: Job) -> replies.ModelPreloaded:
    return context.engine.preload_model(request, job)


@GROUP.job(requests.DownloadModel, replies.ModelDownloaded, events=(replies.Downloading,))
def download_model(context: Context, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded:
    return context.engine.download_model(request, job)
