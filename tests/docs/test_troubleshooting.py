"""docs/troubleshooting.md knows every error, of the protocol and of the clients, with a cause and a cure."""

import re
from pathlib import Path

from dsu_client import CLIENT_CODES

from tools.protocol_docs import every_code

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", TEXT, re.MULTILINE)
NODE_CODES = re.findall(r"^  '(\w+)', //", (ROOT / "clients/node/lib/errors.js").read_text("utf-8"), re.MULTILINE)
# What the documents from which DSU was made list as trouble, in words that this page has, too.
KNOWN_TROUBLE = (
    *("could not get source code", "nvidia-smi", "Nothing on stdout", '"bin" directory not found', "absolute paths"),
    *("CUDA out of memory", "torchcodec", "feature_dim", "model_type", "loralib", "demucs: command not found"),
    *("SSL_CERT_FILE", "damaged", "disk_full", "Missing stems", "max_cached_models", "GPU History", "OMP_NUM_THREADS"),
    *("stays when my program dies", "stderr as two pipes"),
)


def test_every_code_has_a_cause_and_a_cure():
    """Once, and none that does not exist."""
    codes = [code for code, _, _ in ROWS]
    assert sorted(codes) == sorted({*every_code(), *CLIENT_CODES, *NODE_CODES})
    assert all(len(cause) > 20 and len(cure) > 10 for _, cause, cure in ROWS)


def test_known_trouble_is_there():
    """Whoever comes from an earlier generation finds its troubles, too."""
    assert [words for words in KNOWN_TROUBLE if words not in TEXT] == []
