"""`dsu models import`: models that other programs have downloaded, for DSU, and files of the user's own.

Exit status 0 if something was found and all of it is or was brought in, 1 if a file is wrong or there is nothing.
"""

from __future__ import annotations

import filecmp
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from utils.commandline.display import Display, open_display
from utils.commandline.interrupts import cancelled_by_signals
from utils.commandline.layout import Layout, Option, Run
from utils.commandline.model_list import shown_size
from utils.commandline.options import Typed
from utils.core.errors import InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.settings import resolve
from utils.store.folders import ModelFolders, configs_folder
from utils.store.model_import import (
    MOST_ENTRIES,
    Candidate,
    Finding,
    Importer,
    State,
    bring_file,
    candidates,
    usual_places,
)
from utils.store.network_models import WORKER as NETWORKS
from utils.store.own_models import understood
from utils.store.registry import Registry


class ImportRun(Run, frozen=True, kw_only=True):
    """How files are brought in."""

    copy_files: Annotated[bool, Meta(description="Copy files, even where a link would do.")] = False
    dry_run: Annotated[bool, Meta(description="Check and say what would be done, and do nothing.")] = False
    config: Annotated[str | None, Meta(description="The YAML configuration of a FILE that is no public model.")] = None
    like: Annotated[
        str | None, Meta(description="The public model whose configuration a FILE has, of which it is a fine-tune.")
    ] = None


IMPORT = Layout(
    program="dsu models import",
    description="Import models that other programs have downloaded: Ultimate Vocal Remover,\n"
    "audio-separator, demucs, MSST and others. Each file is checked first. It gets a\n"
    "second name (a hard link) in the models directory, which takes no space, or is\n"
    "copied where that is not possible. Nothing in FOLDER changes. Without a FOLDER,\n"
    "look where such programs keep models, and say what is there.\n\n"
    "A FILE may also be a model of your own. What it is shows in its tensors; the\n"
    "configuration is NAME.yaml beside it, or that of a public model that has the\n"
    "same tensors.",
    requests=(),
    groups={},
    ungrouped=("copy_files", "dry_run", "config", "like", "models_dir"),
    machine=(),
    run=ImportRun,
    options={
        "copy_files": Option(("--copy",)),
        "config": Option(metavar="FILE.yaml"),
        "like": Option(metavar="MODEL"),
    },
    usage="[options] [FOLDER_OR_FILE ...]",
    things=("FOLDER_OR_FILE", "a folder with models in it or below it, or a model"),
)
TITLES = {
    "new": "would be imported",
    "linked": "linked",
    "copied": "copied",
    "there": "already there",
    "wrong": "not usable",
    "unknown": "not known",
}


def import_models(typed: Typed) -> int:
    """Bring in what the folders have."""
    run = typed.run
    if not isinstance(run, ImportRun):
        raise TypeError(run)
    folders = [Path(name).expanduser() for name in typed.words.tracks]
    missing = [f"`{folder}`" for folder in folders if not (folder.is_dir() or folder.is_file())]
    if missing:
        raise InvalidRequest(f"There is no file or folder {', '.join(missing)}.")
    files = [folder for folder in folders if folder.is_file()]
    if (run.config or run.like) and len(folders) != 1 - (not files):
        raise InvalidRequest("--config and --like are for one FILE.")
    if run.config and not Path(run.config).is_file():
        raise InvalidRequest(f"There is no configuration `{run.config}`.")
    models = ModelFolders(resolve(typed.given(("models_dir",))).models_dir)
    with open_display(sys.stderr) as display:
        job = Job(display.event)
        with cancelled_by_signals(job, display.line) as interrupts:
            try:
                lines, status = _work(folders, models, job, display, run)
            except JobCancelled:
                display.line("Stopped. What was imported so far is complete; no half-written files are left.")
                return interrupts.status
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return status


def _work(
    folders: Sequence[Path], models: ModelFolders, job: Job, display: Display, run: ImportRun
) -> tuple[list[str], int]:
    """What is to be said, and the exit status."""
    registry = Registry.load()
    importer = Importer(registry, models, job)
    if not folders:
        return _look(importer, job, display)
    found: dict[Path, Candidate] = {}
    for folder in folders:
        display.doing(f"Looking into {folder}")
        some, all_of_them = candidates(folder, job)
        found.update((each.path, each) for each in some)
        if not all_of_them:
            display.line(f"Note: {folder} has more than {MOST_ENTRIES} files; only these were looked at.")
    job.begin_stages(check=1.0, bring=1.0)
    display.doing("Checking")
    findings = importer.check(list(found.values()))
    looked_at = {finding.path for finding in findings}
    if others := [folder.name for folder in folders if folder.is_file() and folder not in looked_at]:
        raise InvalidRequest(
            f"`{others[0]}` is no file with weights. Give that; what belongs to it is found beside it."
        )
    own = [finding for finding in findings if finding.state == "unknown" and finding.path in folders]
    if len(own) == len(findings) == 1:
        return _own(own[0].path, registry, models, job, run)
    if not run.dry_run:
        display.doing("Importing")
        findings = list(importer.bring(findings, copy=run.copy_files))
    lines = [*_table(findings), *_models(importer, findings), _summary(findings, models)]
    known = [finding for finding in findings if finding.state not in ("unknown", "wrong")]
    return lines, 0 if known and all(finding.state != "wrong" for finding in findings) else 1


def _own(path: Path, registry: Registry, models: ModelFolders, job: Job, run: ImportRun) -> tuple[list[str], int]:
    """File a model of the user's own, with what describes it."""
    config = Path(run.config) if run.config else None
    model = understood(path, registry, models, config=config, like=run.like)
    stems = f" ({', '.join(model.stems)})" if model.stems else ""
    lines = [f"{path.name} is your own {model.type}{stems}."]
    if model.config is not None and not run.config and model.config != path.with_suffix(model.config.suffix):
        like = next((name for name in registry.names(NETWORKS) if _has_config(registry, name, model.config)), "")
        lines.append(f"Its configuration is that of {run.like or like}.")
    other = [target for source, target in model.moves.items() if target.exists() and not _same(source, target)]
    if other:
        raise InvalidRequest(f"There is another `{other[0]}`. Delete it, or rename your file.")
    for source, target in model.moves.items():
        state: State = "there" if target.exists() else "new"
        if not run.dry_run and state == "new":
            state = bring_file(
                source, target, copy=run.copy_files or source == model.config, tick=lambda _: job.checkpoint()
            )
        lines.append(f"  {TITLES[state]}: {target}")
    lines.append(f"Use it: dsu -m {model.name} song.mp3")
    return lines, 0


def _has_config(registry: Registry, name: str, config: Path) -> bool:
    record = registry.find(name, NETWORKS)
    return record is not None and record.config is not None and config == configs_folder() / record.config


def _same(one: Path, other: Path) -> bool:
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)


def _look(importer: Importer, job: Job, display: Display) -> tuple[list[str], int]:
    """What the usual places have, by names and sizes."""
    lines = []
    for place in usual_places():
        display.doing(f"Looking into {place}")
        found = [each for each in candidates(place, job)[0] if importer.looks_known(each)]
        if found:
            size = shown_size(sum(each.size_bytes for each in found))
            lines.append(f"{place}: {_count(len(found), 'file')} of models that are not installed ({size})")
            lines.append(f'  dsu models import "{place}"')
    if not lines:
        lines = [
            "Nothing new is in the places where other programs keep models.",
            "Name a folder: dsu models import FOLDER",
        ]
        return lines, 1
    return lines, 0


def _table(findings: Sequence[Finding]) -> Iterator[str]:
    for state, title in TITLES.items():
        own = [finding for finding in findings if finding.state == state]
        if not own:
            continue
        yield f"{title} ({len(own)})"
        width = max(len(finding.model.name if finding.model else "") for finding in own)
        for finding in own:
            name = finding.model.name if finding.model else ""
            told = f"{finding.path} {finding.note}" if finding.state == "wrong" else str(finding.path)
            note = f"  ({finding.note})" if finding.note and finding.state != "wrong" else ""
            yield f"  {name:{width}}  {shown_size(finding.size_bytes):>8}  {told}{note}".rstrip()
            if finding.state == "wrong" and finding.model is not None:
                yield f"  {'':{width}}  {'':8}  {_remedy(finding)}"
    if any(finding.state == "unknown" for finding in findings):
        yield "  A model that is not known can be used by its path, or imported alone: dsu models import FILE"


def _remedy(finding: Finding) -> str:
    model = finding.model
    if model is not None and model.downloadable:
        return f"dsu download {model.name}"
    return "DSU knows no download of it: get the file again from where it came."


def _models(importer: Importer, findings: Sequence[Finding]) -> Iterator[str]:
    models = importer.models_with(findings)
    complete = [name for name, missing in models.items() if not missing]
    if complete:
        yield f"Ready: {', '.join(complete)}"
    for name, missing in models.items():
        if missing:
            yield f"{name} still lacks {', '.join(file.name for file in missing)}: dsu download {name}"


def _summary(findings: Sequence[Finding], models: ModelFolders) -> str:
    counts = {state: sum(finding.state == state for finding in findings) for state in TITLES}
    told = [f"{count} {TITLES[state]}" for state, count in counts.items() if count]
    return (
        f"{', '.join(told)}; the models directory is {models.models_dir}"
        if told
        else "There are no model files in that folder."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
