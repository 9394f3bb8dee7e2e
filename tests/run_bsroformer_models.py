"""Run several models of dsu-bsroformer over one file, each by the command line in a process of its own.

Without --models these are all that are installed, or else small random networks made for it. Prints a line for each
model; exit status 1 if any failed, with the end of what it said.
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
    ended_by_sigterm,
    number,
    output_folder,
    packages_of_project,
    with_hint,
)

with packages_of_project():
    from benchmarks.worker_process import command
    from tools.choose_models import BUILT_IN, installed, models_directory, small_models
    from tools.fixtures.models import make_models
    from utils.core.bootstrap import use_utf8
    from utils.core.errors import DsuError
    from workers import WORKERS

INPUT = Path(__file__).resolve().parent / "audio" / "test_4s.wav"
TAIL_LINES = 10


def models_of(options: argparse.Namespace) -> tuple[list[str], Path]:
    """Names of models and where they are. What is chosen is said."""
    folder = models_directory(options.models_dir)
    if options.models:
        return list(options.models), folder
    names = installed("bsroformer", folder)
    if names != [BUILT_IN]:
        sys.stdout.write(f"The models are those found in `{folder}`.\n")
        return names, folder
    small = small_models()
    made = make_models(small, ["bsroformer"])["models"]["bsroformer"]
    sys.stdout.write(
        f"`{folder}` has no models, so those of `{small}` are used, small networks with random weights, and "
        f"`{BUILT_IN}`, which comes with DSU.\n"
    )
    return [model["name"] for model in made] + [BUILT_IN], small


def separate(model: str, models_dir: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one model; what it wrote, or the end of what it said when it failed."""
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
        said = done.stderr.splitlines()[-TAIL_LINES:] or [f"It wrote {len(files)} files, and {len(missing)} are gone."]
        return {**result, "error": "\n".join(said)}
    return {**result, "files": files}


def told(result: dict[str, Any]) -> str:
    if "error" in result:
        return f"FAILED  {result['model']} (exit status {result['exit_status']})\n{result['error']}"
    stems = ", ".join(Path(file).stem for file in result["files"])
    return f"ok      {result['model']}  {result['wall_s']:.2f} s with its start  {stems}"


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run_bsroformer_models.py", description=__doc__)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="default: all that are installed")
    parser.add_argument("--models-dir", type=Path, metavar="DIR", help="default DSU_MODELS, or what the worker takes")
    parser.add_argument("--input", type=Path, default=INPUT, metavar="FILE", help="default tests/audio/test_4s.wav")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="default tests/benchmark_output/bsroformer_models"
    )
    parser.add_argument("--exe", type=Path, metavar="PATH", help="the frozen dsu-bsroformer; default our script")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, mps, cuda or cuda:N")
    parser.add_argument("--batch-size", type=number(int, 1, 256), metavar="N", help="chunks that run together")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results into this file")
    return parser


def run(options: argparse.Namespace) -> bool:
    """Run all models; True if all went well."""
    if not options.input.is_file():
        raise Unusable(f"There is no file `{options.input}`. {GENERATE}")
    if options.exe is not None and not options.exe.is_file():
        raise Unusable(f"There is no program `{options.exe}`. `python3 run.py build` makes dist/dsu.")
    names, folder = models_of(options)
    results = []
    for name in names:
        results.append(separate(name, folder, options))
        sys.stdout.write(told(results[-1]) + "\n")
        sys.stdout.flush()
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return all("error" not in result for result in results)


def main(argv: Sequence[str]) -> int:
    options = parser().parse_args(argv)
    use_utf8(sys.stdout, sys.stderr)
    ended_by_sigterm()
    try:
        return 0 if run(options) else 1
    except (Unusable, DsuError) as error:
        sys.stderr.write(f"{with_hint(error)}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"`{error.filename}` cannot be used: {error.strerror}.\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
