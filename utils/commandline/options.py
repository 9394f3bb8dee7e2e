"""From the fields of requests and settings to options, and from what was typed back to them. Pure: no files, no models.

What was typed is kept under the name of its field, so that it becomes a request without a table in between, and an
error about a field can name the option.
"""

from __future__ import annotations

import argparse
import math
import re
import string
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

import msgspec
from msgspec import inspect

from utils import __version__
from utils.commandline.layout import SHARED, Layout, Option, Run, names_in
from utils.commandline.wording import Wording
from utils.core.catalogue import TEMPLATE_FIELDS
from utils.core.errors import InvalidRequest, did_you_mean, nearest
from utils.core.fields import Field, alternatives
from utils.core.requests import JOINT_FORMATS, Separate
from utils.core.settings import FIELDS as SETTINGS
from utils.core.settings import with_dashes
from utils.core.typed import convert

R = TypeVar("R", bound=Separate)
R_co = TypeVar("R_co", bound=Separate, covariant=True)

LOSSY = {"mp3", "ogg", "opus", "m4a"}


@dataclass(frozen=True)
class Options(Generic[R_co]):
    """One command line, understood."""

    request: R_co
    tracks: tuple[str, ...]
    settings: dict[str, Any]  # those that were given; others come from the environment, the file and the defaults
    run: Run
    wording: Wording


# From fields to options -------------------------------------------------------------------------------------------


class NoCommandLine(InvalidRequest):
    """What was typed cannot be read: an option that does not exist, or that lacks its value, or has a wrong one."""


class SongsParser(argparse.ArgumentParser):
    """A parser that raises what is wrong instead of ending the process, and takes songs before, between and after options."""

    def error(self, message: str) -> NoReturn:
        text = re.sub(r"^argument (\S+): ", r"\1: ", message)
        raise NoCommandLine(f"{text[:1].upper()}{text[1:]}.")

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        """What was typed. After `--` everything is a song, also what looks like an option.

        The name of an option may be cut short where only one begins so, and written with `_` for `-`.
        """
        argv = with_dashes(argv)
        end = argv.index("--") if "--" in argv else len(argv)
        typed, unknown = self.parse_known_intermixed_args(argv[:end])
        if unknown:
            option = unknown[0].partition("=")[0]
            raise NoCommandLine(f"There is no option {option}.{did_you_mean(nearest(option, self.wording.options))}")
        typed.tracks = [*typed.tracks, *argv[end + 1 :]]
        return typed

    def __init__(self, layout: Layout, *, add_help: bool = True) -> None:
        super().__init__(
            layout.program,
            usage=f"{layout.program} {layout.usage}",
            description=layout.description,
            epilog=layout.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=add_help,
        )
        self._instead = layout.instead
        self._first = layout.first

    def _get_option_tuples(self, option_string: str) -> list[Any]:
        """The options that begin so, as argparse collects them: the layout's first ones, if there are any."""
        found: list[Any] = super()._get_option_tuples(option_string)
        first = [one for one in found if not self._first.isdisjoint(one[0].option_strings)]
        return first or found

    @property
    def wording(self) -> Wording:
        return Wording(self._actions, self._instead)

    @property
    def flags(self) -> set[str]:
        """Each way to write each option."""
        return {flag for action in self._actions for flag in action.option_strings}

    def name_options_in_help(self) -> None:
        """Descriptions speak of fields; people type options. A word that is the option's own field means something else."""
        wording = self.wording
        for action in self._actions:
            if action.help is not None and f"`{action.dest}`" not in action.help:
                action.help = wording.of(action.help)


class Refuse(argparse.Action):
    """An option that others have: typing it raises why it is not one here."""

    def __call__(self, *_: object) -> NoReturn:
        raise InvalidRequest(str(self.const))


def new_parser(layout: Layout) -> SongsParser:
    """The parser of a command line."""
    parser = SongsParser(layout)
    parser.set_defaults(**dict.fromkeys(layout.fields))  # also what cannot be typed here is there, as None
    metavar, meaning = layout.things
    parser.add_argument("tracks", nargs="*", metavar=metavar, help=meaning)
    parser.add_argument(*layout.version_flags, action="version", version=f"{layout.program} {__version__}")
    fields, options = layout.fields, {**SHARED, **layout.options}
    for title, items in layout.all_groups.items():
        group = parser.add_argument_group(title) if title else parser
        for item in items:
            exclusive = group.add_mutually_exclusive_group()
            for name in names_in(item):
                _add_option(exclusive, fields[name], options.get(name, Option()))
    for flag, reason in layout.refused.items():
        parser.add_argument(flag, action=Refuse, nargs="?", const=reason, help=argparse.SUPPRESS)
    parser.name_options_in_help()
    return parser


def _add_option(group: argparse._ActionsContainer, one: Field, option: Option) -> None:
    flags = (f"--{one.name.replace('_', '-')}",) if option.flags is None else option.flags
    is_switch = one.type_of(inspect.BoolType) is not None
    if is_switch and one.default is True:
        flags = tuple(f"--no-{flag[2:]}" for flag in flags)
    kind = {"action": "store_const", "const": one.default is not True} if is_switch else _value(one, option)
    for spellings, text in ((flags, _help(one, option)), (option.also, argparse.SUPPRESS)):
        if spellings:
            group.add_argument(*spellings, dest=one.name, default=option.default, help=text, **kind)
    for switch in option.switches:
        group.add_argument(
            switch.flag, dest=one.name, action="store_const", const=switch.value, help=switch.help or argparse.SUPPRESS
        )


def _value(one: Field, option: Option) -> dict[str, Any]:
    """What is typed after an option, as arguments of argparse."""
    last_word = one.name.rpartition("_")[2].upper()
    kind: dict[str, Any] = {"metavar": last_word}
    if many := one.type_of(inspect.ListType):
        is_text = any(isinstance(item, inspect.StrType) for item in alternatives(many.item_type))
        if option.repeated:
            kind["action"] = "append"
        elif option.several:
            kind |= {"nargs": "+", "type": str if is_text else number}
        else:
            kind |= {"type": names if is_text else numbers, "metavar": "A,B" if is_text else "1,2"}
    elif one.type_of(inspect.IntType):
        kind |= {"type": number_or(one.choices) if one.choices else whole, "metavar": "N"}
    elif one.type_of(inspect.FloatType):
        kind |= {"type": number, "metavar": last_word if last_word == "SECONDS" else "X"}
    elif one.choices:
        kind["choices"] = one.choices
        if not _are_many(one.choices):
            kind["metavar"] = None  # argparse shows the choices
    if option.words:
        kind["type"] = lambda text: option.words.get(text, text)
    if option.read is not None:
        kind["type"] = option.read
    return kind | ({"metavar": option.metavar} if option.metavar else {})


def _help(one: Field, option: Option) -> str:
    text = option.help or one.phrase
    if not option.help:
        if _are_many(one.choices):
            text += f"{'. Values' if '. ' in text else ''}: {', '.join(one.choices)}"
        if isinstance(one.default, str | float | int) and not isinstance(one.default, bool) and "default" not in text:
            text += f"; default {one.default if isinstance(one.default, str) else format(one.default, 'g')}"
    return text.replace("%", "%%")


def _are_many(choices: Sequence[str]) -> bool:
    """Too many to stand beside the option."""
    return len(choices) > 4


# What stands after an option --------------------------------------------------------------------------------------


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a whole number is needed, not {text!r}") from error


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a number is needed, not {text!r}") from error
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"a number is needed, not {text!r}")
    return value


def number_or(words: Sequence[str]) -> Callable[[str], int | str]:
    """A whole number, or one of some words."""

    def read(text: str) -> int | str:
        if text in words:
            return text
        try:
            return int(text)
        except ValueError as error:
            listed = " or ".join(f"`{word}`" for word in words)
            raise argparse.ArgumentTypeError(f"a number or {listed} is needed, not {text!r}") from error

    return read


def names(text: str) -> list[str]:
    found = [name.strip() for name in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"names separated by commas are needed, not {text!r}")
    return found


def numbers(text: str) -> list[float]:
    return [number(part) for part in text.split(",")]


# From what was typed to a request ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Typed:
    """What was typed, under the names of fields; what was not typed is None."""

    layout: Layout
    words: argparse.Namespace
    wording: Wording

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """What was typed for those of these fields that the program has."""
        values = vars(self.words)
        return {name: values[name] for name in names if values.get(name) is not None}

    @property
    def run(self) -> Run:
        return self.layout.run(**self.given(self.layout.run.__struct_fields__))

    def understand(self, kind: type[R]) -> Options[R]:
        """The options, with a request of this kind. Raises `InvalidRequest`."""
        words = self.words
        if not words.tracks and not words.list_models and not words.download:
            hint = f"`{self.layout.program} --help` lists the options."
            raise InvalidRequest("Name at least one song or folder.", hint=hint)
        audio_format = words.format or "wav"
        if words.bitrate is not None and audio_format not in LOSSY | JOINT_FORMATS:
            raise InvalidRequest(f"--bitrate is for lossy formats; {audio_format} is lossless.")
        if words.pcm_type not in (None, "source") and audio_format in LOSSY:
            typed = self.wording.of_hint(f'"pcm_type":"{words.pcm_type}"')
            raise InvalidRequest(f"{typed} is for lossless formats; {audio_format} has no sample type.")
        if words.name_template is not None:
            option = self.wording.option("name_template")
            template_fields(words.name_template, option, TEMPLATE_FIELDS)
            if words.name_template.endswith(f".{audio_format}"):
                raise InvalidRequest(f"{option} takes no extension; .{audio_format} is added automatically.")
        request = _request(self.given(kind.__struct_fields__), kind, self.wording)
        try:
            _ = request.report_look
        except InvalidRequest as error:
            raise InvalidRequest(self.wording.of_error(error.message, error.hint, error.field)) from error
        return Options(
            request=request,
            tracks=tuple(words.tracks),
            settings=self.given(SETTINGS),
            run=self.run,
            wording=self.wording,
        )


def read(layout: Layout, argv: Sequence[str]) -> Typed:
    """Read a command line. Raises `InvalidRequest`; `--help` and `--version` print and raise `SystemExit`."""
    parser = new_parser(layout)
    return Typed(layout, parser.read(argv), parser.wording)


PLAIN_WORDS = {
    "`int`": "a whole number",
    "`float`": "a number",
    "`array` of length": "a list",
    ">=": "of at least",
    "<=": "of at most",
    "<": "below",
}


def _request(given: Mapping[str, Any], kind: type[R], wording: Wording) -> R:
    try:
        return convert({"cmd": kind.__struct_config__.tag, **given}, kind)
    except msgspec.ValidationError as error:
        # Expected `int` >= 0 - at `$.shifts`
        found = re.fullmatch(r"Expected (?P<what>.*) - at `\$\.(?P<field>\w+).*`", str(error))
        if found is None:
            raise InvalidRequest(str(error)) from error
        what = found["what"]
        for technical, plain in PLAIN_WORDS.items():
            what = what.replace(technical, plain)
        raise InvalidRequest(f"{wording.option(found['field'])} takes {what}.") from error


def template_fields(template: str, option: str, known: Collection[str]) -> set[str]:
    """The fields of a template for names. Raises `InvalidRequest` for an unknown one."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise InvalidRequest(f"{option} {template!r} has an unmatched brace.") from error
    if unknown := fields - set(known):
        listed = " ".join(f"{{{field}}}" for field in sorted(known))
        raise InvalidRequest(f"{option} has an unknown field {{{min(unknown)}}}. The fields are {listed}.")
    return fields
