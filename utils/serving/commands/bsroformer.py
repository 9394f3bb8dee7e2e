"""The commands of dsu-bsroformer."""

from __future__ import annotations

from utils.core import replies, requests
from utils.core.asked_networks import check_choice
from utils.serving.commands import Group
from utils.serving.commands.shared import EVENTS, add_model_commands, check, separate

GROUP = Group("bsroformer")

add_model_commands(GROUP, listing=requests.ListModels, load=requests.NetworkLoad, preload=requests.NetworkPreload)
GROUP.job(requests.NetworkSeparate, replies.Done, replies.ManyDone, events=EVENTS, checks=(check, check_choice))(
    separate
)
