"""The commands of dsu-audio-separator."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.job import Job
from utils.serving.commands import Context, Group
from utils.serving.commands.models import add_model_commands
from utils.serving.commands.separation import EVENTS, check, check_file, separate_as_asked

GROUP = Group("audio_separator")

add_model_commands(
    GROUP, listing=requests.ListModels, load=requests.AudioSeparatorLoad, preload=requests.AudioSeparatorPreload
)


@GROUP.job(requests.AudioSeparatorSeparate, replies.Done, replies.ManyDone, events=EVENTS, check=check)
def separate(context: Context, request: requests.AudioSeparatorSeparate, job: Job) -> replies.Done | replies.ManyDone:
    return separate_as_asked(context, request, job)


def _check_apollo(request: requests.Apollo) -> None:
    check(request)
    check_file(request)


@GROUP.job(
    requests.Apollo, replies.Restored, replies.ManyDone, events=(*EVENTS, replies.Restoring), check=_check_apollo
)
def apollo(context: Context, request: requests.Apollo, job: Job) -> replies.Done | replies.ManyDone:
    return separate_as_asked(context, request, job)


@GROUP.job(requests.LoadApollo, replies.ApolloLoaded, events=(replies.LoadingModel, replies.Downloading))
def load_apollo(context: Context, request: requests.LoadApollo, job: Job) -> replies.ModelLoaded:
    return context.engine.load_model(request, job)
