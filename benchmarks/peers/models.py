"""The files of the models that are compared: public sizes and random weights, in the formats of each program."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from demucs.htdemucs import HTDemucs
from torch import nn

from benchmarks.worker_process import ROOT
from models.architectures import params_class
from tools.fixtures.audio_separator import make_vr
from tools.fixtures.audiosep import AudioSepFiles, write_audiosep
from tools.fixtures.demucs import SAMPLE_RATE, SOURCES, tiny_htdemucs, write_bag, write_checkpoint
from tools.fixtures.networks import public_yaml, seeded_network, write_network
from tools.peers import peers_python
from utils.store.folders import configs_folder
from utils.store.network_config import read_config

# Networks of configurations: their kind, and the public configuration.
NETWORKS = {
    "bs_roformer": "bs_roformer/bsroformer_4stem.yaml",
    "mel_band_roformer": "mel_band_roformer/vocals_melband.yaml",
    "scnet": "scnet/scnet_xl_ihf.yaml",
    "mdx23c": "mdx23c/mdx23c_4stem.yaml",
    "apollo": "apollo/apollo_lew_uni.yaml",
}
ROFORMERS = ("bs_roformer", "mel_band_roformer")
# The last layers of residual branches, and their gain: fresh ones are so strong that errors of half precision grow from layer
# to layer, which they do not in trained networks.
BRANCHES = {"mdx23c": (".tfc2.2.weight", ".tdf.5.weight")}
BRANCH_GAIN = 0.1
HALVED = 32  # MDX23C halves its frames five times

SEGMENT_S = Fraction(39, 5)
MEMBERS = tuple(f"full000{number}" for number in range(1, 5))
ONE, FOUR, TINY = "one", "four", "tiny"
ONNX_NAME = "htdemucs"

VR = "vr"
VR_OF_PYMSS = "UVR-DeNoise.pth"  # pymss knows what VR networks are by their names
VR_PRIMARY, VR_BANDS, VR_CAPACITY = "Noise", "4band_v3", (48, 128)
VR_CONTRAST = 0.3  # of masks, over that of the small ones of tests, which half precision does not stand well
MDX = "mdx"
MDX_BINS, MDX_FRAMES_LOG2, MDX_FFT = 3072, 8, 6144
HASHED_BYTES = 10_240_000  # at the end of a file, by which audio-separator knows it


@dataclass(frozen=True)
class PublicModels:
    """A folder with models, each of which is written on demand, once."""

    folder: Path

    @property
    def repo(self) -> Path:
        """A folder as the demucs package has it."""
        return self.folder / "demucs"

    @property
    def networks(self) -> Path:
        """A flat folder as audio-separator has it, with its lists; ours finds it by its name."""
        return self.folder / "audio-separator"

    @property
    def hub(self) -> Path:
        """A cache of huggingface_hub, where demucs-onnx looks for models."""
        return self.folder / "hub"

    @property
    def vr_of_pymss(self) -> Path:
        return self.folder / "pymss" / VR_OF_PYMSS

    @property
    def registered(self) -> Path:
        """The models that pymss is told of."""
        return self.folder / "pymss.json"

    @property
    def audiosep(self) -> AudioSepFiles:
        folder = self.folder / "audiosep"
        return AudioSepFiles(folder / "audiosep.yaml", folder / "audiosep.ckpt", folder / "clap.pt", folder / "roberta")

    def checkpoint(self, kind: str) -> Path:
        suffix = {VR: ".pth", MDX: ".onnx"}.get(kind, ".ckpt")
        return self.networks / f"{kind}{suffix}"

    def config(self, kind: str) -> Path:
        return self.networks / f"{kind}.yaml"

    def member(self, number: int = 0) -> Path:
        """The file of a network of Demucs."""
        return next(self.repo.glob(f"{MEMBERS[number]}-*.th"))

    # Writing ----------------------------------------------------------------------------------------------------

    def write_demucs(self, count: int) -> None:
        """The public size, in a bag of one or of four with a stem each."""
        for seed, member in enumerate(MEMBERS[:count]):
            if not any(self.repo.glob(f"{member}-*.th")):
                write_checkpoint(self.repo, member, full_size_demucs, seed=seed)
        write_bag(self.repo, ONE, MEMBERS[:1])
        write_bag(self.networks_made(), ONE, MEMBERS[:1])
        shutil.copyfile(self.member(), self.networks / self.member().name)
        if count == len(MEMBERS):
            write_bag(self.repo, FOUR, MEMBERS, weights=np.eye(len(SOURCES)).tolist())
        self._write_lists()

    def write_onnx(self) -> None:
        """The first network of Demucs as demucs-onnx exports it, and where it looks for it."""
        revision = "0" * 40
        home = self.hub / "models--StemSplitio--htdemucs-onnx"
        target = home / "snapshots" / revision / f"{ONNX_NAME}.onnx"
        if target.exists():
            return
        for folder in (target.parent, home / "refs", home / "blobs"):
            folder.mkdir(parents=True, exist_ok=True)
        (home / "refs" / "main").write_text(revision, encoding="utf-8")
        code = (
            "import sys; from pathlib import Path; from demucs.states import load_model; "
            "from demucs_onnx.export.patch import patch_htdemucs_for_onnx; "
            "from demucs_onnx.export.exporter import _export_one, N_SAMPLES; "
            "net = patch_htdemucs_for_onnx(load_model(sys.argv[1]).eval()); "
            "_export_one(net, Path(sys.argv[2]), n_samples=N_SAMPLES, opset=17, verbose=False)"
        )
        by_peers(code, self.member(), target)

    def write_tiny(self) -> None:
        """Small networks, for songs that are long or many."""
        write_checkpoint(self.repo, "tiny0001", tiny_htdemucs, seed=1)
        write_bag(self.repo, TINY, ["tiny0001"])
        # The transformers of audio-separator know one width of the layers before the masks, and no `zero_dc`.
        write_network(
            self.networks_made(), "bs_roformer", name=TINY, changes={"zero_dc": False, "mlp_expansion_factor": 4}
        )
        self._write_lists()

    def write_network(self, kind: str, seconds: float) -> None:
        """A network of the public size, with chunks of about so many seconds."""
        config = network_config(kind, seconds)
        if not self.checkpoint(kind).exists():
            self.networks_made()
            net = seeded_network(kind, params_class(kind).from_config(config), seed=0)
            state = {
                key: tensor * (BRANCH_GAIN if key.endswith(BRANCHES.get(kind, ())) else 1)
                for key, tensor in net.state_dict().items()
            }
            torch.save(state, self.checkpoint(kind))
        self.config(kind).write_text(public_yaml(config), encoding="utf-8")
        self._write_lists()

    def write_vr(self) -> None:
        files = make_vr(self.networks_made(), VR, bands=VR_BANDS, capacity=VR_CAPACITY, primary_stem=VR_PRIMARY)
        weights = torch.load(files.checkpoint, weights_only=True)
        torch.save({**weights, "out.weight": VR_CONTRAST * weights["out.weight"]}, files.checkpoint)
        self.vr_of_pymss.parent.mkdir(exist_ok=True)
        shutil.copyfile(files.checkpoint, self.vr_of_pymss)
        self._write_lists()

    def write_mdx(self) -> None:
        numbers = {
            "primary_stem": "Vocals",
            "mdx_n_fft_scale_set": MDX_FFT,
            "mdx_dim_f_set": MDX_BINS,
            "mdx_dim_t_set": MDX_FRAMES_LOG2,
            "compensate": 1.0,
        }
        path = self.networks_made() / f"{MDX}.onnx"
        path.with_suffix(".json").write_text(json.dumps(numbers), encoding="utf-8")
        by_peers("import sys; from benchmarks.peers.models import export_mdx; export_mdx(sys.argv[1])", path)
        self._write_lists()

    def write_audiosep(self) -> None:
        write_audiosep(self.audiosep.config.parent, full_size=True)

    def networks_made(self) -> Path:
        self.networks.mkdir(parents=True, exist_ok=True)
        return self.networks

    def _write_lists(self) -> None:
        """The lists of models by which the other programs find those that are there."""
        self.networks_made()
        for name, table in ((VR, "vr_model_data.json"), (MDX, "mdx_model_data.json")):
            path = self.checkpoint(name)
            known = {digest(path): json.loads(path.with_suffix(".json").read_text())} if path.exists() else {}
            (self.networks / table).write_text(json.dumps(known), encoding="utf-8")
        kinds = [path.stem for path in sorted(self.networks.glob("*.ckpt"))]
        (self.networks / "download_checks.json").write_text(json.dumps(downloads(kinds)), encoding="utf-8")
        entries = [entry(kind, kind, self.checkpoint(kind), self.config(kind)) for kind in kinds if kind in NETWORKS]
        if TINY in kinds:
            entries.append(entry(TINY, "bs_roformer", self.checkpoint(TINY), self.config(TINY)))
        if self.vr_of_pymss.exists():
            entries.append(entry(VR, "vr", self.vr_of_pymss, None))
        self.registered.write_text(json.dumps({"version": 1, "models": entries}), encoding="utf-8")


def full_size_demucs() -> tuple[type[nn.Module], dict[str, Any]]:
    """The class and arguments of a network of the size of htdemucs: 42 million parameters."""
    return HTDemucs, {
        "sources": list(SOURCES),
        "bottom_channels": 512,
        "dconv_mode": 3,
        "segment": SEGMENT_S,
        "samplerate": SAMPLE_RATE,
    }


def network_config(kind: str, seconds: float) -> dict[str, Any]:
    """The public configuration, with chunks of about so many seconds and without what not all programs support."""
    config = read_config(configs_folder() / NETWORKS[kind])
    samples = chunk_samples(config, seconds)
    changes: dict[str, Mapping[str, Any]] = {"audio": {"chunk_size": samples}, "inference": {"batch_size": 1}}
    if kind in ROFORMERS:
        changes["model"] = {"zero_dc": False}
    return {key: {**section, **changes.get(key, {})} for key, section in config.items()}


def chunk_samples(config: Mapping[str, Any], seconds: float) -> int:
    """A chunk of about so many seconds, at most as long as the configuration's, that suits networks that do not pad."""
    audio = config["audio"]
    bound = min(int(audio["chunk_size"]), round(seconds * int(audio["sample_rate"])))
    if "num_scales" not in config["model"]:
        return bound
    hop = int(audio["hop_length"])
    frames = max(HALVED, (bound // hop + 1) // HALVED * HALVED)
    return int(hop * (frames - 1))


def downloads(kinds: list[str]) -> dict[str, dict[str, object]]:
    """The list of models that audio-separator would fetch."""
    return {
        # It looks for one known model in the list of VR models.
        "vr_download_list": {"VR Arch Single Model v5: 1_HP-UVR": "1_HP-UVR.pth", f"VR: {VR}": f"{VR}.pth"},
        "mdx_download_list": {f"MDX: {MDX}": f"{MDX}.onnx"},
        "mdx_download_vip_list": {},
        "demucs_download_list": {f"Demucs v4: {ONE}": {f"{ONE}.yaml": f"{ONE}.yaml"}},
        "mdx23c_download_list": {f"Net: {kind}": {f"{kind}.ckpt": f"{kind}.yaml"} for kind in kinds},
        "mdx23c_download_vip_list": {},
        "roformer_download_list": {},
    }


def by_peers(code: str, *words: Path) -> None:
    """Run this in the environment of peers, which has the package onnx."""
    command = [peers_python(), "-c", code, *words]
    done = subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"A network could not be exported:\n{done.stderr}")


def entry(name: str, kind: str, checkpoint: Path, config: Path | None) -> dict[str, Any]:
    """A model as pymss registers it."""
    return {
        "name": name,
        "model_type": kind,
        "model_path": str(checkpoint),
        "config_path": None if config is None else str(config),
    }


def digest(path: Path) -> str:
    return hashlib.md5(path.read_bytes()[-HASHED_BYTES:], usedforsecurity=False).hexdigest()


# MDX ------------------------------------------------------------------------------------------------------------------


class Block(nn.Module):
    """Three convolutions, and a bottleneck across all frequencies beside them."""

    def __init__(self, channels: int, bins: int) -> None:
        super().__init__()
        layers = [(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()) for _ in range(3)]
        self.local = nn.Sequential(*(part for layer in layers for part in layer))
        self.across = nn.Sequential(
            nn.Linear(bins, bins // 8, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Linear(bins // 8, bins, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        local: torch.Tensor = self.local(spectra)
        across: torch.Tensor = self.across(local)
        return local + across


class MdxNetwork(nn.Module):
    """A U-net of the size and kind of public MDX networks, which exist as ONNX files only."""

    def __init__(self, bins: int, *, width: int, depth: int) -> None:
        super().__init__()
        sizes = [(width * (level + 1), bins >> level) for level in range(depth + 1)]
        self.first = nn.Sequential(nn.Conv2d(4, width, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.down = nn.ModuleList(Block(*size) for size in sizes[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(size[0], size[0] + width, 2, stride=2) for size in sizes[:-1])
        self.lowest = Block(*sizes[-1])
        self.grow = nn.ModuleList(nn.ConvTranspose2d(size[0] + width, size[0], 2, stride=2) for size in sizes[-2::-1])
        self.up = nn.ModuleList(Block(*size) for size in sizes[-2::-1])
        self.last = nn.Conv2d(width, 4, 1)

    def forward(self, spectra: torch.Tensor) -> torch.Tensor:
        at = self.first(spectra).transpose(-1, -2)
        kept = []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            kept.append(block(at))
            at = torch.relu(shrink(kept[-1]))
        at = self.lowest(at)
        for block, grow in zip(self.up, self.grow, strict=True):
            at = block(torch.relu(grow(at)) * kept.pop())
        output: torch.Tensor = self.last(at.transpose(-1, -2))
        return output


def export_mdx(path: str) -> None:
    spectra = torch.randn(1, 4, MDX_BINS, 2**MDX_FRAMES_LOG2)
    torch.onnx.export(mdx_network(), (spectra,), path, dynamo=False, input_names=["input"], output_names=["output"])


def mdx_network(bins: int = MDX_BINS, width: int = 48, depth: int = 5) -> nn.Module:
    """The network with random weights; its output is about as loud as its input."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        net = MdxNetwork(bins, width=width, depth=depth).eval()
        probe = torch.randn(1, 4, bins, 2**depth)
        gain = probe.std() / net(probe).std()
        for tensor in net.last.parameters():
            tensor.mul_(gain)
    return net
