"""Commands about models: which there are, load, preload, download. A worker has them with its own fields."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.job import Job
from utils.serving.commands import Context, Group


def add_model_commands(
    group: Group,
    *,
    listing: type[requests.ListModels],
    load: type[requests.LoadModel],
    preload: type[requests.LoadModel],
) -> None:
    """Register the commands in the group of a worker."""
    group.control(listing, replies.Models)(list_models)
    group.job(load, replies.ModelLoaded, events=(replies.LoadingModel, replies.Downloading))(load_model)
    group.job(preload, replies.ModelPreloaded, events=(replies.PreloadingModel, replies.Downloading))(preload_model)
    group.job(requests.DownloadModel, replies.ModelDownloaded, events=(replies.Downloading,))(download_model)


def list_models(context: Context, request: requests.ListModels) -> replies.Models:
    return context.engine.list_models(request)


def load_model(context: Context, request: requests.LoadModel, job: Job) -> replies.ModelLoaded:
    return context.engine.load_model(request, job)


def preload_model(context: Context, request: requests.LoadModel, job: Job) -> replies.ModelPreloaded:
    return context.engine.preload_model(request, job)


def download_model(context: Context, request: requests.DownloadModel, job: Job) -> replies.ModelDownloaded:
    return context.engine.download_model(request, job)
