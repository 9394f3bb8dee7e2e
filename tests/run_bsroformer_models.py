"""Run several models of dsu-bsroformer over one file, each by the command line in a process of its own.

Without --models it runs all installed models, or else small random networks made for the purpose. Prints a line for each
model. Exit status 1 if any failed, with the end of its output.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.command_line import (
    GENERATE,
    Unusable,
    exit_status,
    number,
    output_folder,
    packages_of_project,
)

with packages_of_project():
    from benchmarks.worker_process import command
    from tools.choose_models import BUILT_IN, installed, models_directory, small_models
    from tools.fixtures.models import make_models
    from workers import WORKERS

INPUT = Path(__file__).resolve().parent / "audio" / "test_4s.wav"
TAIL_LINES = 10


def models_of(options: argparse.Namespace) -> tuple[list[str], Path]:
    """The names of the models to run, and their directory. Prints what was chosen."""
    folder = models_directory(options.models_dir)
    if options.models:
        return list(options.models), folder
    names = installed("bsroformer", folder)
    if names != [BUILT_IN]:
        sys.stdout.write(f"Using the models found in `{folder}`.\n")
        return names, folder
    small = small_models()
    made = make_models(small, ["bsroformer"])["models"]["bsroformer"]
    sys.stdout.write(
        f"There are no models in `{folder}`. Using small networks with random weights from `{small}`, and "
        f"`{BUILT_IN}`, which comes with DSU.\n"
    )
    return [model["name"] for model in made] + [BUILT_IN], small


def separate(model: str, models_dir: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one model: the files it wrote, or the end of its output if it failed."""
    default = output_folder() / "bsroformer_models"
    program = WORKERS["bsroformer"].script if options.exe is None else str(options.exe.absolute())
    words = [*command(program), "-m", model, "--models-dir", str(models_dir), "-d", options.device]
    words += ["--offline", "--print-paths", "-o", str((options.output_dir or default).absolute())]
    words += ["--name-template", "{model}/{track}/{stem}"]
    if options.batch_size is not None:
        words += ["--batch-size", str(options.batch_size)]
    started = time.perf_counter()
    words.append(str(options.input.absolute()))
    done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8")
    result = {"model": model, "wall_s": round(time.perf_counter() - started, 3), "exit_status": done.returncode}
    files = done.stdout.splitlines()
    missing = [file for file in files if not Path(file).is_file()]
    if done.returncode != 0 or missing or not files:
        said = done.stderr.splitlines()[-TAIL_LINES:] or [
            f"It reported {len(files)} files, and {len(missing)} do not exist."
        ]
        return {**result, "error": "\n".join(said)}
    return {**result, "files": files}


def as_text(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"FAILED  {result['model']} (exit status {result['exit_status']})\n{result['error']}"
    stems = ", ".join(Path(file).stem for file in result["files"])
    return f"ok      {result['model']}  {result['wall_s']:.2f} s including start-up  {stems}"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run_bsroformer_models.py", description=__doc__)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="default: all installed models")
    parser.add_argument("--models-dir", type=Path, metavar="DIR", help="default DSU_MODELS, or the worker's default")
    parser.add_argument("--input", type=Path, default=INPUT, metavar="FILE", help="default tests/audio/test_4s.wav")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="default tests/benchmark_output/bsroformer_models"
    )
    parser.add_argument("--exe", type=Path, metavar="PATH", help="a frozen dsu-bsroformer; default: its script")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, mps, cuda or cuda:N")
    parser.add_argument("--batch-size", type=number(int, 1, 256), metavar="N", help="chunks per forward pass")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results to this file")
    return parser


def run(options: argparse.Namespace) -> bool:
    """Run all models; True if none failed."""
    if not options.input.is_file():
        raise Unusable(f"There is no file `{options.input}`. {GENERATE}")
    if options.exe is not None and not options.exe.is_file():
        raise Unusable(f"There is no program `{options.exe}`. `python3 run.py build` makes dist/dsu.")
    names, folder = models_of(options)
    results = []
    for name in names:
        results.append(separate(name, folder, options))
        sys.stdout.write(as_text(results[-1]) + "\n")
        sys.stdout.flush()
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return all("error" not in result for result in results)


def main(argv: Sequence[str]) -> int:
    options = parser().parse_args(argv)
    return exit_status(lambda: run(options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
