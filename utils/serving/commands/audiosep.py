"""The commands of dsu-audiosep."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.job import Job
from utils.serving.commands import Context, Group
from utils.serving.commands.models import add_model_commands
from utils.serving.commands.separation import EVENTS, check, check_file, separate_as_asked

GROUP = Group("audiosep")

add_model_commands(GROUP, listing=requests.ListModels, load=requests.AudioSepLoad, preload=requests.AudioSepPreload)


def _check(request: requests.AudioSepSeparate) -> None:
    check(request)
    check_file(request)
    _ = request.queries  # raises what is wrong with them


@GROUP.job(requests.AudioSepSeparate, replies.AudioSepDone, replies.ManyDone, events=EVENTS, check=_check)
def separate(context: Context, request: requests.AudioSepSeparate, job: Job) -> replies.Done | replies.ManyDone:
    return separate_as_asked(context, request, job)
