"""Typed reading of the sections of a public configuration. Every problem is a `ValueError` that names the key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

LARGEST = 1 << 20  # no number of a network is larger: neither a sample rate nor a size
COUNT = f"a whole number from 1 to {LARGEST}"
MOST_BAND_SAMPLES = 1 << 22  # public networks have at most 64 bands, of windows of 2048 samples
LONGEST_SHOWN = 60

# Keys for training and for special kernels. They may occur in any `model` section and change no result.
NOT_FOR_INFERENCE = frozenset({"use_torch_checkpoint", "sage_attention"})


class Section:
    """One section of a configuration, such as `model`. A key without a default is required."""

    def __init__(self, config: Mapping[str, Any], name: str) -> None:
        values = config.get(name)
        if not isinstance(values, Mapping):
            raise ValueError(f"The configuration has no section `{name}`.")  # noqa: TRY004 - one error for all of it
        self.name = name
        self.values = values

    def reject_unknown(self, known: Iterable[str], ignored: Iterable[str] = ()) -> None:
        """Raise for keys that might change the network in an unknown way."""
        accepted = {*known, *ignored, *NOT_FOR_INFERENCE}
        for key in self.values:
            if key not in accepted:
                raise ValueError(f"The configuration's `{self.name}.{key}` is not known to this network.")

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number of at least 1."""
        return self._read(key, default, _is_count, COUNT)

    def number(self, key: str, default: float | None = None) -> float:
        """A number above 0."""
        return self._read(key, default, _is_positive, f"a number above 0 and up to {LARGEST}")

    def switch(self, key: str, *, default: bool) -> bool:
        return self._read(key, default, _is_switch, "true or false")

    def integers(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """A list of whole numbers of at least 1."""
        return tuple(self._read(key, default, _all(_is_count), f"a list of which each is {COUNT}"))

    def numbers(self, key: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
        """A list of numbers above 0."""
        return tuple(self._read(key, default, _all(_is_positive), f"a list of numbers above 0 and up to {LARGEST}"))

    def names(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of at least one name."""
        return tuple(self._read(key, default, _all(_is_text), "a list of names"))

    def text(self, key: str, default: str | None = None) -> str:
        return self._read(key, default, _is_text, "a word")

    def _read(self, key: str, default: T | None, fits: Callable[[Any], bool], expected: str) -> T:
        value: T = self.values.get(key, default)
        if not fits(value):
            found = "missing" if key not in self.values else f"{str(value)[:LONGEST_SHOWN]!r}"
            raise ValueError(f"The configuration's `{self.name}.{key}` must be {expected}; it is {found}.")
        return value


def output_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The stems for which a network with this configuration has heads, in their order."""
    training = Section(config, "training")
    if training.values.get("target_instrument"):
        return (training.text("target_instrument"),)
    return training.names("instruments")


def require_few_bands(num_bands: int, n_fft: int) -> None:
    """Raise `ValueError` for bands whose table, a row of bins for each, would be larger than any network's."""
    if num_bands * n_fft > MOST_BAND_SAMPLES:
        raise ValueError(f"{num_bands} bands of {n_fft} samples are more than any network has.")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _all(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda values: isinstance(values, list | tuple) and bool(values) and all(map(fits, values))
