"""The commands of dsu-demucs."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.job import Job
from utils.serving.commands import Context, Group
from utils.serving.commands.models import add_model_commands
from utils.serving.commands.separation import EVENTS, check, separate_as_asked

GROUP = Group("demucs")

add_model_commands(GROUP, listing=requests.DemucsListModels, load=requests.DemucsLoad, preload=requests.DemucsPreload)


@GROUP.job(requests.DemucsSeparate, replies.Done, replies.ManyDone, events=EVENTS, check=check)
def separate(context: Context, request: requests.DemucsSeparate, job: Job) -> replies.Done | replies.ManyDone:
    return separate_as_asked(context, request, job)
