"""Small models of every kind in one folder, with the files by which audio-separator knows them without a network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tools.fixtures.audio_separator import make_mdx, make_vr
from tools.fixtures.demucs import tiny_htdemucs, write_bag, write_checkpoint
from tools.fixtures.networks import write_network

# Networks by name: their kind, and what is special about them. The transformers of audio-separator know one width of the
# layers before the masks, and no `zero_dc`.
TRANSFORMER = {"zero_dc": False, "mlp_expansion_factor": 4}
NETWORKS = {
    "roformer": ("bs_roformer", {"changes": TRANSFORMER}),
    "melband": ("mel_band_roformer", {"changes": TRANSFORMER}),
    "mdx23c": ("mdx23c", {}),
    "other": ("mdx23c", {"seed": 1}),
    "target": ("mdx23c", {"stems": ("Vocals", "Instrumental"), "target": "Vocals"}),
    "drums": ("mdx23c", {"stems": ("drums", "bass", "other", "vocals")}),
}
SIGNATURE = "0123abcd"
HASHED_BYTES = 10_240_000
VR_1_HP = {"VR Arch Single Model v5: 1_HP-UVR": "1_HP-UVR.pth"}


def write_models(folder: Path) -> Path:
    vr, mdx = make_vr(folder, "vr"), make_mdx(folder, "mdx")
    for files, table in ((vr, "vr_model_data.json"), (mdx, "mdx_model_data.json")):
        digest = hashlib.md5(files.checkpoint.read_bytes()[-HASHED_BYTES:], usedforsecurity=False).hexdigest()
        (folder / table).write_text(json.dumps({digest: json.loads(files.numbers.read_text())}))
    for name, (kind, options) in NETWORKS.items():
        write_network(folder, kind, name=name, **options)
    write_checkpoint(folder, SIGNATURE, tiny_htdemucs)
    write_bag(folder, "demucs", [SIGNATURE])
    (folder / "download_checks.json").write_text(json.dumps(downloads()))
    return folder


def downloads() -> dict[str, dict[str, object]]:
    """The list of models that audio-separator would fetch."""
    networks: dict[str, object] = {f"Net: {name}": {f"{name}.ckpt": f"{name}.yaml"} for name in NETWORKS}
    return {
        "vr_download_list": {**VR_1_HP, "VR: small": "vr.pth"},
        "mdx_download_list": {"MDX: small": "mdx.onnx"},
        "mdx_download_vip_list": {},
        "demucs_download_list": {"Demucs v4: small": {"demucs.yaml": "demucs.yaml"}},
        "mdx23c_download_list": networks,
        "mdx23c_download_vip_list": {},
        "roformer_download_list": {},
    }
