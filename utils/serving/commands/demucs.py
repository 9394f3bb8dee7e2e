"""The commands of dsu-demucs."""

from __future__ import annotations

from utils.core import replies, requests
from utils.serving.commands import Group
from utils.serving.commands.shared import EVENTS, add_model_commands, check, separate

GROUP = Group("demucs")

add_model_commands(GROUP, listing=requests.DemucsListModels, load=requests.DemucsLoad, preload=requests.DemucsPreload)
GROUP.job(requests.DemucsSeparate, replies.Done, replies.ManyDone, events=EVENTS, checks=(check,))(separate)
