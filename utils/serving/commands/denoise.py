"""The commands of dsu-denoise."""

from __future__ import annotations

from utils.core import replies, requests
from utils.serving.commands import Group
from utils.serving.commands.shared import EVENTS, add_model_commands, check, check_file, separate

GROUP = Group("denoise")

add_model_commands(GROUP, listing=requests.ListModels, load=requests.DenoiseLoad, preload=requests.DenoisePreload)
GROUP.job(
    requests.Denoise,
    replies.Denoised,
    replies.ManyDone,
    events=(*EVENTS, replies.Denoising),
    checks=(check, check_file, lambda request: request.noise),
)(separate)
