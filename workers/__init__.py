"""The table of workers. Build, contract tests, benchmarks and clients read it. Standard library only."""

from __future__ import annotations

from utils.core.catalogue import Worker

WORKERS: dict[str, Worker] = {
    "demucs": Worker(
        name="dsu-demucs",
        script="workers/demucs_worker.py",
        command_line="utils.commandline.demucs",
        groups=("control", "demucs", "cache", "batch"),
        description="Demucs models: drums, bass, other, vocals (and guitar, piano)",
    ),
    "bsroformer": Worker(
        name="dsu-bsroformer",
        script="workers/bsroformer_worker.py",
        command_line="utils.commandline.bsroformer",
        groups=("control", "bsroformer", "cache", "batch"),
        description="BS-RoFormer, Mel-Band RoFormer, SCNet and MDX23C models, and Apollo restoration",
    ),
    "audio-separator": Worker(
        name="dsu-audio-separator",
        script="workers/audio_separator_worker.py",
        command_line="utils.commandline.audio_separator.program",
        for_people="audio-separator",
        groups=("control", "audio_separator", "cache", "batch"),
        description="VR and MDX models, and Apollo restoration",
    ),
    "audiosep": Worker(
        name="dsu-audiosep",
        script="workers/audiosep_worker.py",
        command_line="utils.commandline.audiosep",
        groups=("control", "audiosep", "cache", "batch"),
        description="AudioSep: whatever a text describes",
    ),
    "denoise": Worker(
        name="dsu-denoise",
        script="workers/denoise_worker.py",
        command_line="utils.commandline.denoise",
        groups=("control", "denoise", "cache", "batch"),
        description="Noise reduction with a recording of the noise",
    ),
    "dsu": Worker(
        name="dsu",
        script="workers/dsu_worker.py",
        command_line="utils.commandline.dsu",
        groups=("control", "dsu", "cache", "batch"),
        description="Models of every family",
    ),
}
