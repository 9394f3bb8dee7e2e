"""Public configurations of networks: YAML read as plain data, with the one Python tag that they use.

Nothing in a file is ever run, and a file that would exhaust time or memory is refused before its values are built.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from utils.core.errors import ConfigInvalid
from utils.store.plain_files import open_file

LARGEST_BYTES = 1 << 20
MOST_VALUES = 20_000  # public configurations have a few hundred, including those for training
LONGEST_VALUE = 10_000  # characters; the time for a long number grows with the square of its digits
SECTIONS = ("audio", "model", "training", "inference")
REQUIRED = SECTIONS[:-1]
OTHER_NAME_OF_MODEL = "kwargs"  # BandIt v2

# Configurations of Demucs have these in `training`, under other names.
SOUND = {"sample_rate": "samplerate", "num_channels": "channels"}

# How the safe loader fails if a value does not match its tag, as in `!!bool maybe`.
_UNFIT = (ValueError, LookupError, AttributeError, TypeError)


def read_config(path: Path) -> dict[str, Any]:
    """The sections of a configuration; `audio`, `training` and `inference` (perhaps empty) are always there.

    The options of the network are in `model`, in the section whose name `model` is, or in `kwargs`, depending on its
    type. Raises `ConfigInvalid` with the file and, if the text itself is wrong, the line.
    """
    config = read_plain(path)
    config.setdefault("inference", {})
    options = config.get("model")
    if not isinstance(options, str):
        options = OTHER_NAME_OF_MODEL if options is None and OTHER_NAME_OF_MODEL in config else "model"
    for name in (*SECTIONS[:1], options, *SECTIONS[2:]):
        if name not in config:
            raise ConfigInvalid(f"`{path.name}` is not the configuration of a network: it has no section `{name}`.")
        if not isinstance(config[name], Mapping):
            raise ConfigInvalid(f"In `{path.name}`, the section `{name}` must consist of names with values.")
    sound = {key: config["training"][name] for key, name in SOUND.items() if name in config["training"]}
    return {**config, "audio": {**sound, **config["audio"]}}


def read_plain(path: Path, sections: tuple[str, ...] = REQUIRED) -> dict[str, Any]:
    """The content of a file. If it has none, the error says that it needs `sections`. Raises `ConfigInvalid`."""
    config = read_yaml(path)
    if not isinstance(config, dict):
        listed = f"the sections {', '.join(f'`{name}`' for name in sections[:-1])} and `{sections[-1]}`"
        raise ConfigInvalid(f"`{path.name}` is not the configuration of a network: it must have {listed}.")
    return config


def read_yaml(path: Path, largest_bytes: int = LARGEST_BYTES) -> Any:
    """The plain data in a file. Raises `ConfigInvalid`."""
    try:
        with open_file(path) as file:
            content = file.read(largest_bytes + 1)
    except OSError as error:
        raise ConfigInvalid(f"The configuration `{path}` cannot be read: {error.strerror}.") from error
    if len(content) > largest_bytes:
        raise ConfigInvalid(f"`{path.name}` is too large for a configuration; the limit is {largest_bytes} bytes.")
    return parse_yaml(content, path)


def output_stems(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """The stems of a network with this configuration, in its order."""
    training = config["training"]
    target = training.get("target_instrument")
    stems = [target] if target else training.get("instruments")
    if isinstance(stems, list | tuple) and stems and all(isinstance(stem, str) and stem for stem in stems):
        return tuple(stems)
    raise ConfigInvalid(f"In `{path.name}`, `training` must name the stems: `instruments`, or one `target_instrument`.")


def parse_yaml(content: bytes, path: Path) -> Any:
    try:
        return yaml.load(content, Loader=_Loader)  # noqa: S506 - it is a safe loader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise ConfigInvalid(f"`{path.name}`{line}: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise ConfigInvalid(f"`{path.name}` is not YAML text: {' '.join(str(error).split())}.") from error
    except RecursionError as error:
        raise ConfigInvalid(f"`{path.name}` is nested too deeply for a configuration.") from error
    except _UNFIT as error:
        raise ConfigInvalid(f"`{path.name}` has a value that does not match its tag: {error}.") from error


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # the package has no types
    """The safe loader, with tuples and a limit on values. An alias counts as much as what it stands for."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._values = 0
        self._values_in: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        event = self.peek_event()
        before = self._values
        self._count(1, event.start_mark)
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if node not in self._values_in:
                raise _refusal(f"`*{event.anchor}` contains itself", event.start_mark)
            self._count(self._values_in[node], event.start_mark)
        elif isinstance(node, yaml.ScalarNode) and len(node.value) > LONGEST_VALUE:
            raise _refusal("a value is too long for a configuration", event.start_mark)
        else:
            if isinstance(node, yaml.ScalarNode):
                node.value = _whole_characters(node.value, event.start_mark)
            self._values_in[node] = self._values - before
        return node

    def _count(self, values: int, mark: yaml.Mark) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise _refusal(f"a configuration has at most {MOST_VALUES} values", mark)


def _refusal(problem: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _whole_characters(text: str, mark: yaml.Mark) -> str:
    """JSON writes some characters as two escapes, each for half of one. A half alone is no text."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise _refusal("half a character is no text", mark) from error


def _refuse_tag(_: _Loader, node: yaml.Node) -> Any:
    raise _refusal(f"the tag `{node.tag}` is not allowed in a configuration", node.start_mark)


_Loader.add_constructor(
    "tag:yaml.org,2002:python/tuple", lambda loader, node: tuple(loader.construct_sequence(node, deep=True))
)
_Loader.add_constructor(None, _refuse_tag)
