"""`python -m training bank | train | evaluate | export | clip | all`."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "mask_unet" / "dsu_mini.yaml"
WEIGHTS = ROOT / "embedded" / "dsu_mini.safetensors"
TRAINING_SHARDS, HELD_OUT_SHARDS = 55, 3

log = logging.getLogger("training")


def make_banks(options: argparse.Namespace) -> None:
    """Make the first shards of the training bank, the held-out bank, then the rest."""
    os.environ["OMP_NUM_THREADS"] = "1"  # the bank is made by many processes
    from training.bank import make_bank  # noqa: PLC0415 - only this step needs the vocoder
    from training.recordings import make_recordings  # noqa: PLC0415

    make_recordings(options.work / "bank" / "train")
    first = min(options.shards, 6)
    for folder, shards in (("train", first), ("held_out", HELD_OUT_SHARDS), ("train", options.shards)):
        make_bank(
            options.work / "bank" / folder, range(shards), held_out=folder == "held_out", processes=options.processes
        )
        log.info("bank %s: %d shards", folder, shards)


def train(options: argparse.Namespace) -> None:
    from training.loop import TrainingRun  # noqa: PLC0415
    from training.loop import train as train_run  # noqa: PLC0415

    train_run(
        TrainingRun(
            config=options.config,
            bank=options.work / "bank",
            folder=options.work / "run",
            minutes=options.minutes,
            batch_size=options.batch_size,
            segment_samples=options.segment_samples,
            learning_rate=options.learning_rate,
            seed=options.seed,
            threads=options.threads,
            loaders=options.loaders,
        )
    )


def evaluate(options: argparse.Namespace) -> None:
    import torch  # noqa: PLC0415

    from training.charts import draw_curve, draw_improvements  # noqa: PLC0415
    from training.evaluation import as_table, write_report  # noqa: PLC0415
    from training.evaluation import evaluate as evaluate_weights  # noqa: PLC0415
    from training.exporting import as_exported, averaged_weights  # noqa: PLC0415

    torch.set_num_threads(options.threads)
    report = evaluate_weights(
        options.config, as_exported(averaged_weights(options.work / "run")), options.work / "bank"
    )
    write_report(report, options.work / "report.json")
    draw_curve(options.work / "run" / "log.jsonl", options.work / "dsu-mini-training.png")
    draw_improvements(report, options.work / "dsu-mini.png")
    log.info("%s", as_table(report))


def export(options: argparse.Namespace) -> None:
    from training.exporting import export as export_weights  # noqa: PLC0415
    from utils.store.hashes import sha256_of  # noqa: PLC0415

    size = export_weights(options.work / "run", options.weights)
    log.info('%s: "size_bytes": %d, "sha256": "%s"', options.weights, size, sha256_of(options.weights))


def clip(options: argparse.Namespace) -> None:
    from training.demo_clip import make_clip  # noqa: PLC0415

    make_clip(options.weights.parent / "clip")


def run_all(options: argparse.Namespace) -> None:
    for step in (make_banks, train, evaluate, export):
        step(options)


STEPS = {"bank": make_banks, "train": train, "evaluate": evaluate, "export": export, "clip": clip, "all": run_all}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="training", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "training", help="folder for bank, checkpoints and report"
    )
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument(
        "--weights", type=Path, default=WEIGHTS, help="where `export` writes the weights; `clip` writes beside them"
    )
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--segment-samples", type=int, default=130048, help="length of an example")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--loaders", type=int, default=1, help="processes that draw examples; a GPU needs many")
    parser.add_argument("--shards", type=int, default=TRAINING_SHARDS)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    STEPS[options.step](options)


if __name__ == "__main__":
    main()
