"""Names that may become files."""

from __future__ import annotations

import pytest

from utils.store.plain_names import is_plain_name, require_plain_path


@pytest.mark.parametrize("name", ["a.th", "955717e8-8726e21a.th", "Kim Vocal 2.onnx", "é.ckpt", ".hidden", "a..b"])
def test_plain_names(name):
    """Names that mean one file in the folder, everywhere."""
    assert is_plain_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "C:a", "a\0", "a\n", " a", "a ", "a.", "a?"])
def test_names_that_lead_elsewhere_or_do_not_exist_everywhere(name):
    """Paths, drives, devices' characters and what Windows drops from the end."""
    assert not is_plain_name(name)


def test_paths_of_plain_names():
    """A folder may be nested, but not climb."""
    require_plain_path("demucs/extra")
    for path in ("", "/demucs", "demucs/../..", "a//b"):
        with pytest.raises(ValueError, match="plain name"):
            require_plain_path(path)
