"""What a command is, and how a group of commands is written down. The groups are the modules of this package.

A group is a module with a `GROUP`; each command is a function registered with one of its decorators. Control commands
are answered at once by the thread that reads; jobs run one at a time on the main thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from utils.core.api import EngineApi, KnowsFamilies
from utils.core.catalogue import FamilyName, Worker
from utils.core.errors import InvalidRequest
from utils.core.job import Job
from utils.core.replies import Event, Reply
from utils.core.requests import Request
from utils.core.settings import Settings
from utils.serving.job_queue import JobQueue
from utils.serving.messages import Fields

Q = TypeVar("Q", bound=Request)
Control = Callable[["Context", Q], Reply]
Work = Callable[["Context", Q, Job], Reply]
Check = Callable[[Q], object]


@dataclass(frozen=True)
class Command:
    """One command as the loop, `describe` and the documentation see it."""

    name: str
    group: str
    request: type[Request]
    replies: tuple[type[Reply], ...]
    run: Work[Any]
    is_job: bool = False
    events: tuple[type[Event], ...] = ()
    checks: tuple[Check[Any], ...] = ()
    at_end: bool = False
    reads_disk: bool = False
    by_family: Mapping[FamilyName, Command] = field(default_factory=dict)  # of `dsu`: the command as each family has it
    alone_with: str | None = None  # the field with which no family is meant

    def form_of(self, fields: Fields, engine: KnowsFamilies) -> tuple[Command, Fields]:
        """The command of the family that a request means, and the request's fields there.

        That is the command itself where only the model that is active at its turn decides.
        """
        if not self.by_family or self.alone_with in fields:
            return self, fields
        family = fields.get("family")
        if family is None:
            family = self._family_meant(fields, engine)
        if family is None:
            return self, fields
        form = next((form for name, form in self.by_family.items() if name == family), None)
        if form is None:
            choices = list(self.by_family)
            raise InvalidRequest(
                f"`family` must be one of {', '.join(choices)}, not `{family}`.", field="family", suggestions=choices
            )
        return form, {name: value for name, value in fields.items() if name != "family"}

    def _family_meant(self, fields: Fields, engine: KnowsFamilies) -> FamilyName | None:
        """The family of a request that does not say it: by a field that one family alone has, or by the model's name.

        Fields that several families have mean the active model if it is of one of them, otherwise the first of them.
        """
        special = {name for form in self.by_family.values() for name in form.request.__struct_fields__}
        given = special & fields.keys() - set(self.request.__struct_fields__)
        fitting = [family for family, form in self.by_family.items() if given <= set(form.request.__struct_fields__)]
        if given and len({self.by_family[family].request for family in fitting}) == 1:
            return fitting[0]
        if isinstance(fields.get("model"), str) and fields["model"]:
            return engine.family_of(fields["model"])
        if not given or not fitting:
            return None
        active = engine.family_of(None)
        return active if active in fitting else fitting[0]

    def check(self, request: Request) -> None:
        """Raise what is wrong with a request beyond the types of its fields."""
        for check in self.checks:
            check(request)


@dataclass(frozen=True)
class Context:
    """Everything a command may use."""

    worker: Worker
    settings: Settings
    engine: EngineApi
    queue: JobQueue
    commands: Mapping[str, Command]
    started_s: float


class Group:
    """The commands of one module."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.commands: dict[str, Command] = {}

    def control(
        self, request: type[Q], *replies: type[Reply], at_end: bool = False, reads_disk: bool = False
    ) -> Callable[[Control[Q]], Control[Q]]:
        """Register a command that is answered at once; with `at_end`, its reply is the worker's last line.

        One that `reads_disk` may take as long as the disk: others do not wait for it.
        """

        def register(function: Control[Q]) -> Control[Q]:
            def run(context: Context, request: Q, job: Job) -> Reply:
                del job
                return function(context, request)

            self.add(Command(tag_of(request), self.name, request, replies, run, at_end=at_end, reads_disk=reads_disk))
            return function

        return register

    def job(
        self,
        request: type[Q],
        *replies: type[Reply],
        events: Iterable[type[Event]] = (),
        checks: Iterable[Check[Q]] = (),
        by_family: Mapping[FamilyName, Command] | None = None,
        alone_with: str | None = None,
    ) -> Callable[[Work[Q]], Work[Q]]:
        """Register a command that waits for its turn. Each of `checks` may raise before the job is queued."""

        def register(function: Work[Q]) -> Work[Q]:
            self.add(
                Command(
                    tag_of(request),
                    self.name,
                    request,
                    replies,
                    function,
                    is_job=True,
                    events=tuple(events),
                    checks=tuple(checks),
                    by_family=by_family or {},
                    alone_with=alone_with,
                )
            )
            return function

        return register

    def add(self, command: Command) -> None:
        """Register a command as another group has it."""
        if command.name in self.commands:
            raise ValueError(f"The command `{command.name}` is registered twice in the group `{self.name}`.")
        self.commands[command.name] = command


def merge(groups: Iterable[Group]) -> dict[str, Command]:
    """The commands of several groups by name, in their order."""
    table: dict[str, Command] = {}
    for group in groups:
        for name, command in group.commands.items():
            if name in table:
                raise ValueError(f"The command `{name}` is in both groups `{table[name].group}` and `{group.name}`.")
            table[name] = command
    return table


def tag_of(struct: type[Request | Reply]) -> str:
    """The value of `cmd` or `status` that marks this type."""
    return str(struct.__struct_config__.tag)
