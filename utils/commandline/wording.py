"""Messages of engines in the words of a command line: `chunk_seconds` becomes --chunk-seconds. Pure.

Engines address programs, which send fields and commands; people type options. A field without an option stays as it is.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping

from utils.core.failures import TRACEBACK_HINT

# Where a hint tells programs to send a command, what people do instead.
INSTEAD = {
    "list_models": "--list-models lists all models.",
    "download_model": "--download fetches it.",
}
_COMMAND = re.compile(r'\{"cmd": ?"(\w+)"')
_FIELD = re.compile(r"`(\w+)`")
_SETTING = re.compile(r'"(\w+)": ?"?(\w+)"?')
_SENTENCE = re.compile(r'[^.]*\{"cmd": ?"(\w+)"[^.]*\.')


class Wording:
    """The options of one command line, by the fields that they set."""

    def __init__(self, actions: Iterable[argparse.Action], instead: Mapping[str, str] = INSTEAD) -> None:
        self.instead = instead
        self._options: dict[str, str] = {}
        self._switches: dict[tuple[str, str], str] = {}
        for action in actions:
            if not action.option_strings or action.help == argparse.SUPPRESS:
                continue
            option = max(action.option_strings, key=len)
            if action.nargs == 0 and isinstance(action.const, str):
                self._switches[action.dest, action.const] = option
            else:
                self._options.setdefault(action.dest, option)

    @property
    def options(self) -> list[str]:
        """All options, each in its longest form."""
        return [*self._options.values(), *self._switches.values()]

    def option(self, field: str) -> str:
        """The option that sets a field."""
        return self._options.get(field, f"`{field}`")

    def of(self, text: str) -> str:
        """A text in which backticks mark nothing but fields: no names of files, which may be the same."""
        return _FIELD.sub(lambda found: self.option(found[1]), text)

    def of_error(self, message: str, hint: str | None = None, field: str | None = None) -> str:
        """One line for an error. In its message only the field that it is about is renamed; others may be names."""
        text = message if field is None else message.replace(f"`{field}`", self.option(field))
        return one_line(text if hint is None else f"{text} {self.of_hint(hint)}".rstrip())

    def of_hint(self, hint: str) -> str:
        if hint == TRACEBACK_HINT:
            option = self._options.get("debug_log") or self._options.get("verbose")
            return f"Run it again with {option} for a traceback to report." if option else ""
        command = _COMMAND.search(hint)
        if command is not None:
            return self.instead.get(command[1], hint)
        return self.of(_SETTING.sub(self._setting, hint))

    def of_warning(self, warning: str) -> str:
        """One line for a warning, in which a sentence that tells what to send becomes one that tells what to type."""

        def instead(found: re.Match[str]) -> str:
            return f" {self.instead[found[1]]}" if found[1] in self.instead else found[0]

        return one_line(_SENTENCE.sub(instead, warning))

    def _setting(self, found: re.Match[str]) -> str:
        field, value = found.groups()
        if value == "true" and field in self._options:
            return self._options[field]
        if switch := self._switches.get((field, value)):
            return switch
        return f"{self._options[field]} {value}" if field in self._options else found[0]


def one_line(text: str) -> str:
    return " ".join(line.strip() for line in text.splitlines())
