"""Every block of code in the documents is run, or understood by what it is for, or says why not.

- `bash` blocks of the pages in SESSIONS run as they are printed, one page in one shell, and print the `text` after them.
- Elsewhere, command lines are understood by the programs that they name, up to the point where work would begin, and requests by their
  workers, with every field known.
- Blocks of ELSEWHERE are run by the tests named there.
- Everything else has `<!-- not run: REASON -->` above it. The command lines in such blocks are understood nevertheless, as are those within
  sentences and tables, and options that stand alone are options of some program.
"""

import configparser
import functools
import importlib
import itertools
import json
import os
import plistlib
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import soundfile
from snippets import Block, blocks_of, pages, spans_of
from worker_process import TIMEOUT_S, clean_environment, worker_command

import run
from tools import batch_scale, options_docs
from tools.fixtures.demucs import tiny_htdemucs, write_bag, write_checkpoint
from tools.fixtures.song import song
from utils.cluster import options as batch_options
from utils.commandline import dsu
from utils.commandline.options import new_parser
from utils.core.errors import DsuError
from utils.core.settings import ACTIONS, FIELDS
from utils.serving.commands.table import commands_of
from utils.serving.messages import decode
from utils.store.listing import list_models
from utils.web import options
from workers import WORKERS

ROOT = Path(__file__).resolve().parents[2]
SESSIONS = (
    "docs/install.md",
    "docs/getting-started.md",
    "docs/choosing-a-model.md",
    "docs/cookbook.md",
    "docs/troubleshooting.md",
    "docs/moving.md",
)
ELSEWHERE = {
    ("docs/shell.md", "bash"): "tests/e2e/test_shell_examples.py",
    ("docs/shell.md", "text"): "tests/e2e/test_shell_examples.py",
    ("docs/live.md", "python"): "tests/e2e/test_live_document.py",
    ("docs/live.md", "c"): "tests/e2e/test_live_document.py",
    ("docs/live.md", "js"): "tests/e2e/test_live_document.py",
    ("docs/recipes.md", "yaml"): "tests/unit/engine/test_recipe_docs.py",
    ("docs/quality.md", "yaml"): "tests/unit/commandline/test_quality_docs.py",
    ("clients/node/README.md", "js"): "clients/node/test/readme.test.js",
    ("clients/python/README.md", "python"): "tests/clients/test_python_package.py",
    ("docs/node.md", "js"): "tests/docs/test_examples.py",
    ("docs/python.md", "python"): "tests/docs/test_examples.py",
    ("docs/servers.md", "bash"): "tests/docs/test_examples.py",
    ("docs/servers.md", "sh"): "tests/docs/test_examples.py",
}
# Models of public size are not there in tests; the built-in one does their work, or a small one of the same name, where a page shows
# the names of files. All else is as it is printed.
STAND_INS = {"htdemucs": "dsu_mini", "vocals_melband": "dsu_mini"}
ANYTHING = "…"
BLOCKS = [block for page in pages() for block in blocks_of(page)]
PROGRAMS = {worker.executable: worker for worker in WORKERS.values()}
BY_KIND = dict(WORKERS.items())
STATUSES = re.compile(r'"(?:status|kind|jsonrpc|error)":')


class WorkBegins(BaseException):
    """The command line has been understood."""


# Blocks ---------------------------------------------------------------------------------------------------------------


def is_session(block: Block) -> bool:
    return block.page in SESSIONS and block.language in ("bash", "text")


def to_understand() -> list[Block]:
    """The blocks that no shell runs, no other test has, and no reason excuses."""
    return [
        block
        for block in BLOCKS
        if not block.reason and not is_session(block) and (block.page, block.language) not in ELSEWHERE
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home without models or settings, which is also the folder that command lines are read in."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE", "XDG_DATA_HOME", "LOCALAPPDATA"):
            patch.setenv(name, str(folder))
        patch.setenv("DSU_MODELS", str(folder / "models"))
        patch.setenv("DSU_OFFLINE", "1")
        patch.chdir(folder)
        (folder / ".cache" / "torch" / "hub" / "checkpoints").mkdir(parents=True)
        (folder / "token").write_text("0123456789abcdef0123", encoding="utf-8")
        yield folder


@pytest.mark.parametrize("block", to_understand(), ids=str)
def test_each_line_is_understood(block, home, capsys):
    """By the program or the worker that it is for; a line that is for neither needs a reason."""
    problems = [f"{entry}: {problem}" for entry in entries(block.code) if (problem := misunderstanding(entry))]
    capsys.readouterr()
    assert problems == []


def entries(code: str) -> list[str]:
    """The commands and JSON texts of a block, each without its prompt or the place of its program; what stands on several lines as one."""
    found: list[str] = []
    for line in code.splitlines():
        text = re.sub(r"^\s*(\$|→|←) ", "", line)
        text = re.sub(r"^(?:exec |ExecStart=)(python3 )?/\S*/", r"\1", text).replace('"$@"', "song.wav")
        goes_on = bool(found) and ((line[:1].isspace() and line.strip()) or found[-1].endswith("\\"))
        if goes_on:
            found[-1] = f"{found[-1].rstrip(chr(92))} {text.strip()}"
        elif text.strip():
            found.append(text.strip())
    return found


def misunderstanding(entry: str) -> str:
    """What is wrong with a command or a line of JSON; empty if nothing is."""
    if entry.startswith("{"):
        return wrong_with_json(entry)
    words = (
        [*shlex.shlex(entry, posix=True, punctuation_chars="|&;<>")]
        if "'" in entry
        else shlex.split(entry, comments=True)
    )
    words = list(_until_pipe(shlex.split(entry, comments=True) or words))
    if not words or words[0] == "#":
        return ""
    if words[:2] in (["python3", "run.py"], ["py", "run.py"]):
        return wrong_with_run(words[2:])
    if words[:3] == ["python", "-m", "tools.batch_scale"]:
        return wrong_with_model_of_clusters(words[3:])
    if words[0] in PROGRAMS:
        return wrong_with_program(PROGRAMS[words[0]], words[1:])
    return "it is neither a program of DSU nor a line of its protocol; say above why it is not run"


def _until_pipe(words):
    for word in words:
        if word in ("|", "&&", ">", "&", ";"):
            return
        yield word.rstrip(";")


def wrong_with_run(words: list[str]) -> str:
    """What `run.py` would not understand."""
    if words and words[0] == "worker":
        return wrong_with_program(BY_KIND[words[1]], words[2:]) if words[1] in BY_KIND else f"no program {words[1]}"
    if not words or words[0] not in run.COMMANDS:
        return "`run.py` has no such command"
    if words[0] == "demo":
        return ""
    if words[0] == "batch" and words[1:]:
        return wrong_with_batch(words[1:])
    known = run.help_of(words[0]) + "--flavor --scale -k" + " ".join(run.FLAVORS)
    unknown = [word for word in words[1:] if word.startswith("-") and word.partition("=")[0] not in known]
    return (
        f"`run.py {words[0]} --help` knows nothing of {unknown[0]}"
        if unknown and words[0] not in ("serve", "studio", "bench", "doctor")
        else ""
    )


def wrong_with_model_of_clusters(words: list[str]) -> str:
    """What the model of larger clusters would not understand."""
    try:
        batch_scale.new_parser().parse_args(words)
    except SystemExit as end:
        return f"status {end.code}"
    return ""


def wrong_with_program(worker, words: list[str]) -> str:
    """What a program would not understand. Its engine is not made."""
    if "--worker" in words or "--version" in words or words[:1] in (["worker"], ["jsonrpc"]):
        return ""
    if worker.name == "dsu" and words[:1] == ["batch"]:
        return wrong_with_batch(words[1:])
    if worker.name == "dsu" and words[:1] in (["serve"], ["studio"]):
        try:
            options.read(f"dsu {words[0]}", words[1:])
        except SystemExit as end:
            return f"status {end.code}" if end.code else ""
        return ""

    def make_engine(*_):
        raise WorkBegins

    program = importlib.import_module(worker.command_line)
    try:
        status = program.main(words, make_engine, functools.partial(models_of, worker.name))
    except WorkBegins:
        return ""
    except SystemExit as end:
        status = end.code or 0
    return f"status {status}" if status == 2 else ""


@functools.cache
def models_of(name: str, models_dir: Path, repo: Path | None = None):
    """The models that a program lists; nothing changes them here."""
    return list_models(name, models_dir, repo)


def wrong_with_batch(words: list[str]) -> str:
    """What `dsu batch` would not understand."""
    try:
        batch_options.read(words)
    except DsuError as error:
        return str(error)
    except SystemExit as end:
        return f"status {end.code}" if end.code else ""
    return ""


def wrong_with_json(text: str) -> str:
    """What no worker would understand in a request. Of a reply, that it is one."""
    if '"cmd":' not in text:
        return "" if STATUSES.search(text) else "it is neither a request nor a reply; say above why it is not run"
    try:
        fields = json.loads(text)
    except ValueError as error:
        return str(error)
    problem = "no worker has this command"
    for worker in WORKERS.values():
        command = commands_of(worker).get(fields["cmd"])
        if command is None:
            continue
        try:
            chosen = ("cmd", "family") if worker.name != "dsu" else ("cmd",)  # `dsu` takes it away when it has chosen
            decode({key: value for key, value in fields.items() if key not in chosen}, command.request, strict=True)
        except DsuError as error:
            problem = str(error)
        else:
            return ""
    return problem


# What is for other programs ------------------------------------------------------------------------------------------

FORMATS = {
    "json": json.loads,
    "xml": lambda text: plistlib.loads(text.encode()),
    "ini": configparser.ConfigParser(interpolation=None).read_string,
}
FOR_OTHERS = [block for block in BLOCKS if block.reason and block.language in FORMATS and "→" not in block.code]


@pytest.mark.parametrize("block", FOR_OTHERS, ids=str)
def test_what_other_programs_read_is_well_formed(block):
    """Settings of a packager, of codesign and of systemd."""
    FORMATS[block.language](block.code)


@pytest.mark.e2e
@pytest.mark.slow
def test_mistakes_are_answered_as_printed(tmp_path):
    """By the worker that has the models which the page names; a list of models is longer than the one there."""
    blocks = [block for block in blocks_of("docs/protocol.md") if block.reason.startswith("its mistake")]
    asked = [line[2:] for block in blocks for line in block.code.splitlines() if line.startswith("→ ")]
    printed = [json.loads(line[2:]) for block in blocks for line in block.code.splitlines() if line.startswith("← ")]
    done = subprocess.run(
        [*worker_command(WORKERS["demucs"]), "--worker"],
        input="".join(f"{line}\n" for line in asked),
        env=clean_environment({"DSU_DEVICE": "cpu", "DSU_OFFLINE": "1", "DSU_MODELS": str(tmp_path)}),
        capture_output=True,
        text=True,
        timeout=10 * TIMEOUT_S,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(asked) == len(printed) >= 3
    for answer in printed:
        shown = {name: value for name, value in answer.items() if name != "models"}
        assert any(all(each.get(name) == value for name, value in shown.items()) for each in answers), answer


# Within sentences and tables, and where blocks are not run -------------------------------------------------------------

# What stands for names in sentences, as something that exists.
EXAMPLES = {"NAME": "dsu_mini", "MODEL": "dsu_mini", "PURPOSE": "vocals", "DIR": ".", "FILE": "."}
OURS = re.compile(r"\{\"cmd\":|(?:(?:python3|py) )?run\.py \w|(?:dsu|dsu-[a-z-]+) ")
OF_DSU = re.findall(r"^  ([a-z]+) {2,}", dsu.HELP.partition("commands:")[2], re.MULTILINE)


def mentioned(page: str) -> list[str]:
    """The command lines of ours that a page has where nothing runs them. `[options]` is the usage that a parser gives of itself."""
    is_generated = page.startswith("docs/reference/")
    shown = [block for block in blocks_of(page) if block.reason and not is_generated and block.language != "json"]
    lines = [entry for block in shown for entry in entries(block.code)]
    return [text for text in [*spans_of(page), *lines] if OURS.match(text) and not re.search(r"[\[…]|\.\.\.", text)]


def wrong_with_mention(text: str) -> str:
    """What is wrong with a command line in a sentence, which may be the name of a command alone, or with a request there."""
    if text.startswith("{"):
        return wrong_with_json(text)
    words = [EXAMPLES.get(word, word) for word in text.removeprefix("python3 ").removeprefix("py ").split(" ")]
    if words[0] == "run.py":
        return misunderstanding(" ".join(["python3", *words]))
    if words[0] not in PROGRAMS:
        return "" if words[0] == "dsu-NAME" else f"there is no program {words[0]}"
    named = [*itertools.takewhile(lambda word: re.fullmatch("[a-z]+", word), words[1:])]
    if words[0] == "dsu" and named and named[0] not in OF_DSU:
        return f"`dsu` has no command {named[0]}"
    alone = words[1:] == named
    return misunderstanding(" ".join([*words, "--help"] if alone else words))


@pytest.mark.parametrize("page", [page for page in pages() if mentioned(page)])
def test_each_command_line_of_ours_is_understood(page, home, capsys):
    """Wherever on the page it stands."""
    problems = [f"{text}: {problem}" for text in mentioned(page) if (problem := wrong_with_mention(text))]
    capsys.readouterr()
    assert problems == []


OF_OTHERS = {"--gpus", "--publish", "--minutes", "--loaders"}  # of docker, and of the trainer


@functools.cache
def every_option() -> set[str]:
    """What any program of ours takes, `run.py`, or the model of larger clusters."""
    families = [dsu.layout_of(family) for family in dsu.FAMILIES]
    layouts = [*options_docs.PROGRAMS.values(), *options_docs.COMMANDS, dsu.SEPARATE, dsu.RECIPES.layout, *families]
    found = {flag for layout in layouts for flag in new_parser(layout).flags}
    found |= {flag for parser in options_docs.EXTRAS for action in parser._actions for flag in action.option_strings}
    found |= {f"--{name.replace('_', '-')}" for name in (*FIELDS, *ACTIONS, "worker")}
    return found | set(
        re.findall(
            r"--[a-z][\w-]*",
            run.usage() + "".join(map(run.help_of, run.COMMANDS)) + batch_scale.new_parser().format_help(),
        )
    )


def options_alone(page: str) -> list[str]:
    """Options that stand alone in sentences and tables, however their words are joined."""
    found = [re.match(r"--[a-z][\w-]*", text) for text in spans_of(page)]
    return [one[0].replace("_", "-") for one in found if one]


@pytest.mark.parametrize("page", [page for page in pages() if options_alone(page)])
def test_each_option_in_a_sentence_is_one(page):
    """Also those of programs that we take the place of: their command lines work here."""
    assert set(options_alone(page)) - every_option() <= OF_OTHERS


# The table of exceptions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "language"), ELSEWHERE)
def test_blocks_run_elsewhere_are_there(page, language):
    """The page has such blocks, and that test reads the page."""
    assert [block for block in BLOCKS if (block.page, block.language) == (page, language)]
    text = (ROOT / ELSEWHERE[page, language]).read_text(encoding="utf-8")
    assert Path(page).name in text


def test_reasons_are_reasons():
    """Each says why, in some words, and stands above a block."""
    marked = [block for block in BLOCKS if block.reason]
    assert [str(block) for block in marked if len(block.reason.split()) < 3] == []
    count = sum((ROOT / page).read_text(encoding="utf-8").count("<!-- not run:") for page in pages())
    assert count == len(marked)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("dsu --no-such-option song.mp3", True),
        ("dsu song.mp3 | tail -n 1", False),
        ("python3 run.py demonstrate", True),
        ("python3 run.py worker demucs -n htdemucs --shitfs 2 song.mp3", True),
        ('{"cmd":"separate","input":"a.wav","outptu":"b"}', True),
        ('{"cmd":"separate","input":"a.wav","output":"b"}', False),
        ("rm -rf song.mp3", True),
    ],
)
def test_mistakes_are_noticed(home, capsys, entry, wrong):
    """Otherwise the tests above would prove nothing."""
    assert bool(misunderstanding(entry)) == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("dsu models", False),
        ("dsu modles", True),
        ("dsu models --for PURPOSE", False),
        ("dsu models --four vocals", True),
        ("dsu-demucks song.mp3", True),
        ("run.py docs --serve", False),
        ("run.py docs --server", True),
        ('{"cmd":"doctor"}', False),
        ('{"cmd":"docter"}', True),
    ],
)
def test_mistakes_in_sentences_are_noticed(home, capsys, text, wrong):
    """In the names of programs, commands and options."""
    assert OURS.match(text)
    assert bool(wrong_with_mention(text)) == wrong


@pytest.mark.parametrize("page", ["README.md", "docs/choosing-a-model.md", "docs/model-list.md"])
def test_the_number_of_models_is_what_dsu_lists(home, page):
    """It changes with every list that is read."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.search(
        rf"\ball {len(models_of('dsu', home / 'models'))}\b|\b{len(models_of('dsu', home / 'models'))} models", text
    )


# Sessions -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The programs on the path, by the scripts, with small models under the names of large ones."""
    if sys.platform == "win32" or shutil.which("bash") is None:
        pytest.skip("The pages are for shells of Linux and macOS.")
    folder = tmp_path_factory.mktemp("programs")
    small = tmp_path_factory.mktemp("small")
    write_checkpoint(small, "aaaa0001", tiny_htdemucs)
    write_bag(small, "htdemucs", ["aaaa0001"])
    options = {"dsu-demucs": ["--repo", str(small)]}
    for worker in WORKERS.values():
        path = folder / worker.executable
        words = " ".join(f"'{word}'" for word in [*worker_command(worker), *options.get(worker.executable, [])])
        stand_ins = {} if worker.executable in options else STAND_INS
        cases = "\n".join(f'    {name}) set -- "$@" {instead} ;;' for name, instead in stand_ins.items())
        path.write_text(
            '#!/bin/sh\ncase "$1" in models|recipe) exec ' + words + ' "$@" ;; esac\n'
            "for word; do\n  shift\n  case $word in\n" + cases + '\n    *) set -- "$@" "$word" ;;\n  esac\ndone\n'
            f'exec {words} "$@"\n',
            encoding="utf-8",
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("page", SESSIONS)
def test_a_page_can_be_typed(programs, tmp_path, page):
    """From its first block to its last, in an empty home and without a network; what it shows is what comes."""
    (tmp_path / "music").mkdir()
    for name in ("song", "music/a", "music/b"):
        soundfile.write(tmp_path / f"{name}.wav", song(1.0), 44100)
    with tarfile.open(tmp_path / "dsu-linux-cpu.tar.gz", "w:gz") as archive:
        archive.add(programs / "dsu", "dsu/dsu")  # of a release
    blocks = [block for block in blocks_of(page) if block.language in ("bash", "text") and not block.reason]
    script, expected = "", ""
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block.language == "bash":
            shown = after is not None and after.language == "text"
            script += f"{{\n{block.code}}}{'' if shown else ' >/dev/null'}\necho '== {block.line}'\n"
            expected += (after.code if shown else "") + f"== {block.line}\n"
    settings = {"DSU_DEVICE": "cpu", "DSU_THREADS": "1", "DSU_OFFLINE": "1", "DSU_MODELS": str(tmp_path / "models")}
    settings |= {"HOME": str(tmp_path), "COLUMNS": "80", "PATH": os.pathsep.join([str(programs), os.environ["PATH"]])}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=clean_environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10 * TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pattern = ".*".join(re.escape(part) for part in expected.split(ANYTHING))
    assert re.fullmatch(pattern, done.stdout, re.DOTALL), done.stdout
