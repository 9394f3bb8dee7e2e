"""What a program can be asked for by name, for answers that must not wait for torch."""

from __future__ import annotations

from pathlib import Path

from utils.core.catalogue import ALSO_IN_AUDIO_SEPARATOR, DENOISED, ENVELOPE_MATCHED
from utils.core.replies import ModelDetails
from utils.store.audio_separator_models import list_audio_separator
from utils.store.audiosep_models import list_audiosep
from utils.store.demucs_models import list_demucs
from utils.store.folders import ModelFolders
from utils.store.network_models import list_networks
from utils.store.registry import Registry


def list_models(program: str, models_dir: Path, repo: Path | None = None) -> list[ModelDetails]:
    """The public models of a program, then those found in the models directory and in `repo`, a folder of Demucs models."""
    registry, folders = Registry.load(), ModelFolders(models_dir)
    match program:
        case "dsu-demucs":
            return list_demucs(registry, folders, repo)
        case "dsu-bsroformer":
            return list_networks(registry, folders)
        case "dsu-audio-separator":
            networks = list_networks(registry, folders)
            own = list_audio_separator(registry, folders)
            return own + [details for details in networks if details.type in ALSO_IN_AUDIO_SEPARATOR]
        case "dsu-audiosep":
            return list_audiosep(registry, folders)
        case "dsu-denoise":
            return list_denoise()
        case "dsu":
            own = list_audio_separator(registry, folders)
            queried = list_audiosep(registry, folders)
            return [*list_networks(registry, folders), *list_demucs(registry, folders, repo), *own, *queried]
    raise ValueError(f"There is no program `{program}`.")


def list_denoise() -> list[ModelDetails]:
    """The one method of dsu-denoise. It has no files."""
    return [
        ModelDetails(
            name=ENVELOPE_MATCHED,
            type="denoise",
            stems=[DENOISED],
            description="Spectral subtraction of noise that follows the level of the recording",
            installed=True,
            size_bytes=0,
            sdr=None,
            license=None,
        )
    ]
