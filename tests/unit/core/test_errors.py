"""Codes of errors, and the nearest known word."""

import pytest

from utils.core import errors

CODES = """invalid_json invalid_request unknown_command busy unknown_model model_not_installed input_not_found input_unreadable
    input_empty unsupported_format output_not_writable disk_full config_invalid checkpoint_invalid checkpoint_unsafe
    checkpoint_mismatch load_timeout out_of_memory device_lost device_unavailable download_failed checksum_mismatch internal"""


def test_every_code_of_the_protocol_has_a_class():
    """And no class has another one."""
    classes = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.DsuError)]
    assert {item.code for item in classes} == set(CODES.split())


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("HTDEMUCS_f", ["htdemucs_ft", "htdemucs"]),
        ("ft", []),
        ("demucs", ["htdemucs", "htdemucs_ft"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_the_nearest_words_are_found(word, near):
    """By likeness in any case, or as a part of a longer word."""
    assert errors.nearest(word, ["htdemucs", "htdemucs_ft", "mdx"]) == near


def test_suggestions_are_asked_as_a_question():
    """Or not at all."""
    assert errors.did_you_mean(["a", "b"]) == " Did you mean: a, b?"
    assert errors.did_you_mean([]) == ""
