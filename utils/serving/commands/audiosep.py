"""The commands of dsu-audiosep."""

from __future__ import annotations

from utils.core import replies, requests
from utils.serving.commands import Group
from utils.serving.commands.shared import EVENTS, add_model_commands, check, check_file, separate

GROUP = Group("audiosep")

add_model_commands(GROUP, listing=requests.ListModels, load=requests.AudioSepLoad, preload=requests.AudioSepPreload)
GROUP.job(
    requests.AudioSepSeparate,
    replies.AudioSepDone,
    replies.ManyDone,
    events=EVENTS,
    checks=(check, check_file, lambda request: request.queries),
)(separate)
