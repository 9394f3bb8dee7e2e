"""The commands of dsu-audio-separator."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.job import Job
from utils.core.package_request import PackageListModels, PackageLoad, PackageSeparate
from utils.serving.commands import Context, Group
from utils.serving.commands.shared import EVENTS, add_model_commands, check, check_file, load_model, separate

GROUP = Group("audio_separator")

add_model_commands(
    GROUP, listing=requests.ListModels, load=requests.AudioSeparatorLoad, preload=requests.AudioSeparatorPreload
)
GROUP.job(requests.AudioSeparatorSeparate, replies.Done, replies.ManyDone, events=EVENTS, checks=(check,))(separate)
GROUP.job(
    requests.Apollo,
    replies.Restored,
    replies.ManyDone,
    events=(*EVENTS, replies.Restoring),
    checks=(check, check_file),
)(separate)


@GROUP.job(requests.LoadApollo, replies.ApolloLoaded, events=(replies.LoadingModel, replies.Downloading))
def load_apollo(context: Context, request: requests.LoadApollo, job: Job) -> replies.ModelLoaded:
    return context.engine.load_model(request, job)


# As the audio-separator package does it ---------------------------------------------------------------------------


@GROUP.control(PackageListModels, replies.PackageModels, reads_disk=True)
def package_list_models(context: Context, request: PackageListModels) -> replies.PackageModels:
    del request
    return context.engine.list_package_models()


GROUP.job(PackageLoad, replies.PackageModelLoaded, events=(replies.LoadingModel, replies.Downloading))(load_model)
GROUP.job(
    PackageSeparate,
    replies.Done,
    replies.ManyDone,
    events=EVENTS,
    checks=(check, lambda request: request.level),
)(separate)
