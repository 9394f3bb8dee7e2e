"""What audio-separator calls models, stems and files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

# DSU's types of models that are no networks of its `networks` family; all others are MDXC there.
TYPES = {"vr": "VR", "mdx": "MDX", "demucs": "Demucs"}
FAMILIES = {"VR": "audio-separator", "MDX": "audio-separator", "Demucs": "demucs", "MDXC": "networks"}
DEMUCS_ORDER = ("Bass", "Drums", "Other", "Vocals", "Guitar", "Piano")
# Published with configurations that have these names for the target and the rest, whatever other copies of them say.
PUBLISHED = {
    "model_bs_roformer_ep_317_": ("Vocals", "Instrumental"),
    "model_bs_roformer_ep_368_": ("Vocals", "Instrumental"),
    "model_bs_roformer_ep_937_": ("No Drum-Bass", "Drum-Bass"),
    "model_mel_band_roformer_ep_3005_": ("Vocals", "Instrumental"),
    "mel_band_roformer_karaoke_aufr33_": ("Vocals", "Instrumental"),
}
# Ensembles put stems together that different models have different names for.
SAME_STEMS = {"inst": "Instrumental", "karaoke": "Instrumental", "no_vocals": "Instrumental"}
PREFIXES = (
    "mel_band_roformer_",
    "melband_roformer_",
    "bs_roformer_",
    "model_bs_roformer_",
    "UVR-MDX-NET-",
    "UVR_MDXNET_",
)


def stem_names(kind: str, filename: str, stems: Sequence[str]) -> dict[str, str]:
    """The package's names of stems, in the order of their files: but for VR models, the second of two comes first."""
    if kind == "Demucs":
        titles = {stem: stem.capitalize() for stem in stems}
        known = [stem for title in DEMUCS_ORDER for stem in stems if titles[stem] == title]
        return {stem: titles[stem] for stem in [*known, *(stem for stem in stems if stem not in known)]}
    names = {stem: stem for stem in stems}
    published = next((pair for start, pair in PUBLISHED.items() if filename.startswith(start)), None)
    if published and len(stems) == 2:
        names = dict(zip(stems, published, strict=True))
    elif kind == "MDXC" and list(stems) == ["vocals", "instrumental"]:
        names["instrumental"] = "other"
    return names if kind == "VR" or len(names) > 2 else dict(reversed(names.items()))


def ensemble_stem_names(stems: Sequence[str]) -> dict[str, str]:
    """The names of an ensemble's stems, the second of two first."""
    own = [stem for stem in stems if stem != "instrumental"]
    names = {stem: SAME_STEMS.get(stem.lower(), stem.title()) for stem in (stems if len(own) < 2 else own)}
    if set(names.values()) == {"Vocals", "Other"}:
        names = {stem: name.replace("Other", "Instrumental") for stem, name in names.items()}
    return names if len(names) > 2 else dict(reversed(names.items()))


def file_name(track: str, stem: str, model: str, extension: str, custom: Mapping[str, str]) -> str:
    """`TRACK_(STEM)_MODEL.EXTENSION`, or what the program calls this stem."""
    own = next((name for key, name in custom.items() if key.lower() == stem.lower()), None)
    whole = f"{_clean(track)}_({_clean(stem)})_{_clean(model)}" if own is None else _clean(own)
    return f"{whole}.{extension}"


def ensemble_name(models: Sequence[str], preset: str | None) -> str:
    """What stands in place of the model in the names of an ensemble's files."""
    if preset:
        return f"preset_{preset}"
    slugs = []
    for model in models:
        stem = Path(model).stem
        prefix = next((prefix for prefix in PREFIXES if stem.startswith(prefix)), "")
        slugs.append(stem[len(prefix) :][:12])
    return f"custom_ensemble_{'_'.join(slugs)}"


def _clean(name: str) -> str:
    """Without what file systems refuse."""
    return re.sub(r'[<>:"/\\|?*_]+', "_", name).strip("_. ")
