"""The commands of dsu-bsroformer."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.asked_networks import check_choice
from utils.core.job import Job
from utils.serving.commands import Context, Group
from utils.serving.commands.models import add_model_commands
from utils.serving.commands.separation import EVENTS, check, separate_as_asked

GROUP = Group("bsroformer")

add_model_commands(GROUP, listing=requests.ListModels, load=requests.NetworkLoad, preload=requests.NetworkPreload)


def _check(request: requests.NetworkSeparate) -> None:
    check(request)
    check_choice(request)


@GROUP.job(requests.NetworkSeparate, replies.Done, replies.ManyDone, events=EVENTS, check=_check)
def separate(context: Context, request: requests.NetworkSeparate, job: Job) -> replies.Done | replies.ManyDone:
    return separate_as_asked(context, request, job)
