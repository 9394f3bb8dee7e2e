"""Where settings come from, which wins, and what is said of wrong ones."""

import json
import logging
import sys
from pathlib import Path

import pytest

from utils.core import settings
from utils.core.errors import ConfigInvalid, InvalidRequest
from utils.core.settings import Settings, find_config, parse_arguments, resolve


def parse(*argv):
    return parse_arguments("dsu-test", "A test", ["--worker", *argv])


@pytest.fixture
def config(tmp_path):
    """Write a configuration file and return the list of places to look for one."""

    def write(content):
        path = tmp_path / settings.CONFIG_NAME
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return [path]

    return write


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_defaults_hold_where_nothing_is_said(home):
    """The models are where earlier versions kept them, if that is there."""
    earlier = home / "Documents" / "DSU" / "ThirdPartyApps" / "Models"
    earlier.mkdir(parents=True)
    assert resolve({}, {}, []) == Settings(models_dir=earlier)


@pytest.mark.skipif(
    sys.platform not in ("linux", "darwin"), reason="Windows does not take this folder from the environment"
)
def test_a_new_home_has_models_where_the_system_wants_them(home, monkeypatch):
    """As the documentation says; a variable moves them on Linux. Nothing is created."""
    system = {"linux": "Linux", "darwin": "macOS"}[sys.platform]
    assert resolve({}, {}, []).models_dir == Path(settings.MODELS_DIRS[system]).expanduser()
    assert list(home.iterdir()) == []
    if system == "Linux":
        monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
        assert resolve({}, {}, []).models_dir == home / "data" / "DSU" / "Models"


def test_flags_beat_variables_beat_the_file(config):
    """Each source fills in what the one before it leaves out."""
    places = config({"threads": 1, "max_cached_models": 1, "device": "mps", "debug": True})
    resolved = resolve({"threads": 3, "device": None}, {"DSU_THREADS": "2", "DSU_MAX_CACHED_MODELS": "2"}, places)
    assert (resolved.threads, resolved.max_cached_models, resolved.device, resolved.debug) == (3, 2, "mps", True)


def test_every_variable_is_read(tmp_path):
    """Also the switches, written in any usual way."""
    environ = {
        "DSU_MODELS": str(tmp_path),
        "DSU_DEVICE": "cuda:1",
        "DSU_THREADS": "4",
        "DSU_MAX_CACHED_MODELS": "0",
        "DSU_OFFLINE": "yes",
        "DSU_STRICT": "TRUE",
        "DSU_DEBUG": "0",
        "DSU_LOG": "Debug",
        "DSU_CONFIGS_DIR": str(tmp_path / "configs"),
    }
    expected = Settings(
        tmp_path,
        device="cuda:1",
        threads=4,
        max_cached_models=0,
        offline=True,
        strict=True,
        log="debug",
        configs_dir=tmp_path / "configs",
    )
    assert resolve({}, environ, []) == expected


@pytest.mark.parametrize(
    ("flags", "environ", "file", "device", "devices"),
    [
        ({"devices": "cuda:0, cuda:1"}, {}, {}, "cuda:0, cuda:1", ["cuda:0", "cuda:1"]),
        ({"devices": "cuda:1,"}, {}, {}, "cuda:1,", []),
        ({"device": "cpu"}, {"DSU_DEVICES": "cuda:0,cuda:1"}, {}, "cpu", []),
        ({}, {"DSU_DEVICES": "cuda:0,cuda:1"}, {"device": "cpu"}, "cuda:0,cuda:1", ["cuda:0", "cuda:1"]),
        ({}, {"DSU_DEVICE": "mps"}, {"devices": "cpu,cpu"}, "mps", []),
    ],
)
def test_several_devices_take_the_place_of_one(config, flags, environ, file, device, devices):
    """The better source says whether one or several work. Where only one can, it is the first that works; one is no list."""
    resolved = resolve(flags, environ, config(file))
    assert (resolved.device, resolved.every_device) == (device, devices)


@pytest.mark.parametrize("source", ["flags", "file"])
def test_one_source_gives_one_device_or_several(config, source):
    """Both are an error that names them."""
    both = {"device": "cpu", "devices": "cuda:0,cuda:1"}
    flags, file = (both, {}) if source == "flags" else ({}, both)
    with pytest.raises(ConfigInvalid, match="exclude each other"):
        resolve(flags, {}, config(file))


def test_only_the_command_line_allows_unsafe_checkpoints(config, caplog):
    """A variable or a file that allows them is not obeyed."""
    places = config({"allow_unsafe_checkpoints": True})
    environ = {"DSU_ALLOW_UNSAFE_CHECKPOINTS": "1"}
    assert not resolve({}, environ, places).allow_unsafe_checkpoints
    assert "allow_unsafe_checkpoints" in caplog.text
    assert resolve({"allow_unsafe_checkpoints": True}, {}, []).allow_unsafe_checkpoints


@pytest.mark.parametrize(
    ("flags", "environ", "part"),
    [
        ({"threads": "many"}, {}, '--threads must be a whole number of at least 1, not "many"'),
        ({"max_cached_models": -1}, {}, "--max-cached-models must be a whole number of at least 0"),
        ({}, {"DSU_THREADS": "0"}, "DSU_THREADS must be"),
        ({}, {"DSU_OFFLINE": "perhaps"}, "DSU_OFFLINE must be 1 or 0"),
        ({}, {"DSU_LOG": "loud"}, "DSU_LOG must be one of debug, info, warning, error"),
        ({}, {"DSU_DEVICE": " "}, "DSU_DEVICE must be a name"),
        ({"models_dir": ""}, {}, "--models-dir must be a folder"),
        ({}, {"DSU_CONFIG": "/no/such/file.json"}, "DSU_CONFIG names"),
    ],
)
def test_wrong_values_name_their_source(flags, environ, part):
    """The message says which flag or variable, and what it must be."""
    with pytest.raises(ConfigInvalid) as caught:
        resolve(flags, environ, [])
    assert part in caught.value.message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold an object"),
        ({"threads": True}, "`threads` in "),
        ({"threads": 1.5}, "`threads` in "),
        ({"device": 3}, "`device` in "),
        ({"models_dir": ["/a"]}, "`models_dir` in "),
    ],
)
def test_a_wrong_file_is_named(config, content, part):
    """With its path."""
    places = config(content)
    with pytest.raises(ConfigInvalid) as caught:
        resolve({}, {}, places)
    assert part in caught.value.message
    assert str(places[0]) in caught.value.message


def test_unknown_keys_are_warnings(config, caplog):
    """With the nearest known key; those of other programs and nulls are ignored silently."""
    places = config({"modles_dir": "/a", "ffmpeg": {"lib_path": "/x"}, "device": None})
    with caplog.at_level(logging.WARNING):
        assert resolve({}, {}, places).device == "auto"
    assert "modles_dir" in caplog.text
    assert "models_dir?" in caplog.text
    assert "ffmpeg" not in caplog.text


def test_a_relative_path_in_the_file_starts_at_the_file(config, tmp_path):
    """One on the command line starts at the working directory, and `~` is the user's home."""
    assert resolve({}, {}, config({"models_dir": "models"})).models_dir == tmp_path / "models"
    assert resolve({"models_dir": "models"}, {}, []).models_dir == Path.cwd() / "models"
    assert resolve({"models_dir": "~/m"}, {}, []).models_dir == Path("~/m").expanduser()


def test_a_file_may_begin_with_a_byte_order_mark(config):
    """Some editors write one."""
    assert resolve({}, {}, config('\ufeff{"threads": 2}')).threads == 2


def test_the_first_file_that_exists_counts(tmp_path):
    """DSU_CONFIG comes before all."""
    first, second, named = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "c.json"
    second.touch()
    named.touch()
    assert find_config({}, [first, second]) == second
    assert find_config({"DSU_CONFIG": str(named)}, [first, second]) == named
    assert find_config({}, [first]) is None


def test_the_usual_places_are_searched():
    """Beside the program and in the user's DSU folders."""
    places = settings.config_places()
    assert places[0].parent == Path(settings.__file__).parents[2]
    assert places[1:] == [
        Path("~/DSU/dsu_config.json").expanduser(),
        Path("~/Documents/DSU/dsu_config.json").expanduser(),
    ]


def test_arguments_become_flags():
    """What was not given is None, so that other sources can fill it in."""
    arguments = parse("--device", "cpu", "--models-dir", "/m", "--threads", "2", "--offline")
    assert arguments.action == "serve"
    given = {name: value for name, value in arguments.flags.items() if value is not None}
    assert given == {"device": "cpu", "models_dir": "/m", "threads": "2", "offline": True}
    assert arguments.flags.keys() <= settings.FIELDS.keys()


@pytest.mark.parametrize("action", ["help", "version", "list-models"])
def test_actions_are_told_from_serving(action):
    """Each is a flag of its own; only help comes with its text."""
    arguments = parse(f"--{action}")
    assert arguments.action == action.replace("-", "_")
    assert bool(arguments.help) == (action == "help")


def test_a_wrong_command_line_is_an_error_with_a_hint():
    """It is raised, and does not end the process."""
    with pytest.raises(InvalidRequest, match="--devise") as caught:
        parse("--devise", "cpu")
    assert "--help" in caught.value.hint
