"""The few facts that are needed of a model's YAML file, read without a YAML parser."""

from __future__ import annotations

import re


def list_of(text: str, key: str) -> list[str]:
    """The words of a list of names, written in one line or in one line each; empty where there is none."""
    found = re.search(rf"^\s*{key}:(?P<flow>[^\n]*)(?P<block>(?:\n\s*- [^\n]*)*)", text, re.MULTILINE)
    return re.findall(r"[\w-]{2,}", found["flow"] + found["block"]) if found else []


def number_of(text: str, key: str) -> float | None:
    """A number."""
    found = re.search(rf"^\s*{key}:\s*([\d.]+)", text, re.MULTILINE)
    return float(found[1]) if found else None
