"""What `separate` has in common in all workers: one file or many, and what must be said in the request."""

from __future__ import annotations

from utils.core import replies
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.many_files import collect_inputs, separate_each
from utils.core.requests import IntoFile, Separate
from utils.serving.commands import Context

EVENTS = (
    replies.LoadingModel,
    replies.Downloading,
    replies.Separating,
    replies.Progress,
    replies.FileDone,
)


def check(request: Separate) -> None:
    """Raise what is wrong with a request before any of it runs."""
    if request.input is None and request.inputs is None:
        raise InvalidRequest("`separate` needs an audio file in `input`, or many in `inputs`.", field="input")
    if request.input is not None and request.inputs is not None:
        raise InvalidRequest("Give either `input` or `inputs`, not both.", field="inputs")
    if not (request.input or request.inputs):
        raise InvalidRequest("There is nothing to separate: the input is empty.", field="input")
    _ = request.folder  # raises where there is none


def check_file(request: IntoFile) -> None:
    """The same for a request that may name a file in `output`, which is one file's result."""
    if request.output is not None and request.inputs is not None:
        raise InvalidRequest("Many files cannot become one: give a directory in `output_dir`.", field="output")
    if request.output is not None and request.name_template is not None:
        raise InvalidRequest("`name_template` needs a directory in `output_dir`, no file.", field="name_template")


def separate_as_asked(context: Context, request: Separate, job: Job) -> replies.Done | replies.ManyDone:
    """Separate `input`, or every file of `inputs`."""
    if request.inputs is None:
        done: replies.Done | replies.ManyDone = context.engine.separate(request, job)
    else:
        files = collect_inputs(request.inputs, leave_out=request.folder)
        debug = request.debug or context.settings.debug
        done = separate_each(context.engine, request, files, job, job.announce, debug=debug)
    job.finish()
    return done
