"""What a checkpoint holds, or what is wrong with it: what a child process is asked of it, with no more imports than that needs."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from utils.core.errors import CheckpointInvalid, CheckpointUnsafe
from utils.store.pickles import NotAllowed
from utils.store.torch_files import read_safetensors, read_torch_file

LONGEST_NAME = 300


def find_content(name: str, allow: Collection[str]) -> Any:
    """What a checkpoint holds, as `torch_files` packs it. Its name and its arguments are plain, for a child process."""
    path = Path(name)
    try:
        return read_safetensors(path) if path.suffix == ".safetensors" else read_torch_file(path, allow)
    except NotAllowed as error:
        raise CheckpointUnsafe(
            f"`{path.name}` was refused: reading it would run `{error.name[:LONGEST_NAME]}`. A checkpoint should only hold "
            "tensors.",
            hint="If you trust its author, start the worker with --allow-unsafe-checkpoints; it then runs code from the file.",
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes can make the reader fail in any way
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> CheckpointInvalid:
    return CheckpointInvalid(
        f"`{path.name}` is damaged, incomplete or not a checkpoint: {first_sentence(error)}",
        hint="Delete it and download it again.",
    )


def first_sentence(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    sentence = re.split(r"\.\s", lines[0])[0]
    return f"{sentence[:200].rstrip('.')}."
