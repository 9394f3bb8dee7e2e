"""Commands that every worker has with fields of its own: those about models, and `separate`."""

from __future__ import annotations

from utils.core import replies
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.many_files import collect_inputs, separate_each
from utils.core.requests import DownloadModel, IntoFile, ListModels, LoadModel, PipedInput, Separate
from utils.serving.commands import Context, Group

# Models -----------------------------------------------------------------------------------------------------------


def add_model_commands(
    group: Group, *, listing: type[ListModels], load: type[LoadModel], preload: type[LoadModel]
) -> None:
    """Register the commands about models in the group of a worker."""
    group.control(listing, replies.Models, reads_disk=True)(list_models)
    group.job(load, replies.ModelLoaded, events=(replies.LoadingModel, replies.Downloading))(load_model)
    group.job(preload, replies.ModelPreloaded, events=(replies.PreloadingModel, replies.Downloading))(preload_model)
    group.job(DownloadModel, replies.ModelDownloaded, events=(replies.Downloading,))(download_model)


def list_models(context: Context, request: ListModels) -> replies.Models:
    return context.engine.list_models(request)


def load_model(context: Context, request: LoadModel, job: Job) -> replies.ModelLoaded:
    return context.engine.load_model(request, job)


def preload_model(context: Context, request: LoadModel, job: Job) -> replies.ModelPreloaded:
    return context.engine.preload_model(request, job)


def download_model(context: Context, request: DownloadModel, job: Job) -> replies.ModelDownloaded:
    return context.engine.download_model(request, job)


# Separating -------------------------------------------------------------------------------------------------------

EVENTS = (
    replies.LoadingModel,
    replies.Downloading,
    replies.Separating,
    replies.Progress,
    replies.StreamBegun,
    replies.Segment,
    replies.FileDone,
)


def check(request: Separate) -> None:
    """Raise what is wrong with the input and the output, before anything runs."""
    command = request.__struct_config__.tag
    if request.input is None and request.inputs is None:
        raise InvalidRequest(f"`{command}` needs an audio file in `input`, or several in `inputs`.", field="input")
    if request.input is not None and request.inputs is not None:
        raise InvalidRequest("Give either `input` or `inputs`, not both.", field="inputs")
    if not (request.input or request.inputs):
        raise InvalidRequest("The input is empty. Give at least one audio file.", field="input")
    if isinstance(request.input, PipedInput) and request.resume:
        raise InvalidRequest("`resume` needs a file: what comes through a pipe comes once.", field="resume")
    _ = request.folder, request.streaming  # raise if there are two, or if it cannot be


def check_file(request: IntoFile) -> None:
    """Raise if `output` names a file although there may be several results."""
    if request.output is not None and request.inputs is not None:
        raise InvalidRequest("Several files cannot become one: give a directory in `output_dir`.", field="output")
    if request.output is not None and request.name_template is not None:
        raise InvalidRequest(
            "`name_template` needs a directory in `output_dir` instead of a file in `output`.", field="name_template"
        )


def separate(context: Context, request: Separate, job: Job) -> replies.Done | replies.ManyDone:
    """Separate `input`, or every file of `inputs`."""
    if request.inputs is None:
        done: replies.Done | replies.ManyDone = context.engine.separate(request, job)
    else:
        files = collect_inputs(request.inputs, leave_out=request.folder)
        debug = request.debug or context.settings.debug
        done = separate_each(context.engine, request, files, job, job.announce, debug=debug)
    job.finish()
    return done
