"""What manifests say, and all that can be wrong with them."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from utils.cluster import manifest
from utils.cluster.manifest import Checked, Fault, KnownModels, checked, request_of, rows
from utils.cluster.storage import Store
from utils.core.errors import InvalidRequest
from utils.core.replies import ModelDetails


def details(name, **more):
    return ModelDetails(
        name=name,
        type="htdemucs",
        stems=[],
        description="",
        installed=True,
        size_bytes=1,
        sdr=None,
        license="MIT",
        **more,
    )


MODELS = KnownModels(
    [details("htdemucs", aliases=["demucs4"]), details("htdemucs_ft"), details("dsu_mini")], ["karaoke"]
)


@pytest.fixture
def songs(tmp_path):
    """A folder with two songs, one of them deeper, and things that are none."""
    folder = tmp_path / "songs"
    (folder / "album").mkdir(parents=True)
    for name in ("one.wav", "album/two.FLAC", "cover.jpg", ".hidden.wav"):
        (folder / name).write_bytes(b"song")
    return folder


def read(*sources, common=None):
    return list(checked(rows([str(each) for each in sources], {}), common or {}, MODELS, {}))


def test_a_folder_stands_for_its_songs_with_their_names(songs):
    """Stems lie as the songs do."""
    found = read(songs)
    assert [row.name for row in found] == ["album/two", "one"]
    assert [row.fields for row in found] == [{"model": "dsu_mini"}] * 2
    assert found[1].found.size_bytes == 4
    (songs / "one").symlink_to(songs / "album")
    without = rows([str(songs)], {}, str(songs / "album"))
    assert [row.name for row in without] == ["one"]


def test_a_glob_a_song_and_a_list(songs, tmp_path):
    """Names in a list are beside it."""
    (songs / "some.txt").write_text("# mine\none.wav\n\nalbum/two.FLAC\n")
    assert [row.found.url.rpartition("/")[2] for row in read(songs / "some.txt")] == ["one.wav", "two.FLAC"]
    assert [row.name for row in read(str(songs / "*.wav"), songs / "album/two.FLAC")] == ["one", "two"]


def table(songs, suffix, values):
    """The same rows in each kind of table."""
    path = songs / f"rows{suffix}"
    if suffix == ".csv":
        names = list(dict.fromkeys(name for row in values for name in row))
        lines = [",".join(names)] + [",".join(str(row.get(name, "")) for name in names) for row in values]
        path.write_text("\n".join(lines) + "\n")
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in values))
    else:
        parquet.write_table(pa.Table.from_pylist(values), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_rows_of_tables_have_settings_of_their_own(songs, suffix):
    """Text in a CSV is the number that it stands for, so the same settings are the same."""
    rows_told = [
        {"input": "one.wav", "model": "htdemucs", "shifts": 2, "output": "first"},
        {"input": "album/two.FLAC", "model": "demucs4"},
    ]
    first, second = read(table(songs, suffix, rows_told), common={"format": "flac", "recipe": "karaoke"})
    assert (first.name, second.name) == ("first", "two")
    assert first.fields == {"model": "htdemucs", "shifts": 2, "format": "flac"}
    assert second.fields == {"model": "demucs4", "format": "flac"}


def test_all_faults_are_told_together(songs):
    """Each with its line, and what to do about it."""
    path = table(
        songs,
        ".jsonl",
        [
            {"input": "gone.wav"},
            {"input": "one.wav", "model": "htdemucsx"},
            {"input": "one.wav", "modle": "htdemucs"},
            {"input": "one.wav", "shifts": "many", "model": "htdemucs"},
            {"input": "one.wav", "overwrite": True},
            {"input": "one.wav", "output": "../above"},
            {"input": "one.wav", "recipe": "karoake"},
            {"song": "one.wav"},
            {"input": "album"},
            {"input": "one.wav", "model": "htdemucs"},
        ],
    )
    path.write_text(path.read_text() + "{no json\n")
    *faults, good, broken = read(path)
    assert isinstance(good, Checked)
    assert all(isinstance(each, Fault) for each in (*faults, broken))
    for number, (fault, words) in enumerate(
        zip(
            faults,
            (
                "no file",
                "htdemucs",
                "model",
                "shifts",
                "Leave out",
                "below the output",
                "karaoke",
                "`input`",
                "not a file",
            ),
            strict=True,
        ),
        1,
    ):
        assert fault.place.endswith(f"line {number}")
        assert words in fault.message
    assert "JSON" in broken.message


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_without_songs(songs, suffix):
    """The column that is missing is named, and what may be meant."""
    (fault,) = read(table(songs, suffix, [{"path": "one.wav"}]))
    assert "no column `input`" in fault.message
    assert "path" in fault.message


def test_sources_that_cannot_be_read(songs, tmp_path):
    """They are faults as well."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    (tmp_path / "wide.csv").write_text("input\none.wav,two.wav\n")
    found = read(
        tmp_path / "empty", tmp_path / "bad.parquet", tmp_path / "wide.csv", "memory://songs/x.wav", "nowhere://x.wav"
    )
    assert [isinstance(each, Fault) for each in found] == [True] * 5
    assert "no audio file" in found[0].message
    assert "more values" in found[2].message
    assert "memory of one process" in found[3].message


def test_rows_are_not_kept(songs, monkeypatch):
    """Of a long manifest only a few rows are in memory at a time."""
    monkeypatch.setattr(manifest, "AT_ONCE", 10)
    taken = []

    def endless():
        for number in range(10_000):
            taken.append(number)
            yield manifest.ManifestRow("x", str(songs / "one.wav"), None, {})

    next(checked(endless(), {}, MODELS, {}))
    assert len(taken) == 10


def test_a_mistake_on_the_command_line_is_one():
    """It is not one of every row."""
    with pytest.raises(InvalidRequest, match="There is no model"):
        request_of({}, {"model": "nothing"}, MODELS)


def test_a_store_that_may_not_be_written(tmp_path):
    """It is known before anything starts."""
    (tmp_path / "file").touch()
    with pytest.raises(InvalidRequest, match="Nothing can be written"):
        Store(str(tmp_path / "file" / "below"), {}).prove_writable()


def test_stems_of_an_earlier_run_are_no_songs(songs):
    """Whether a folder or a pattern names the place of the stems; one for both is refused."""
    out = songs / "out"
    out.mkdir()
    (out / "vocals.wav").write_bytes(b"stem")
    for source in (str(songs), f"{songs}/**/*.wav"):
        found = list(rows([source], {}, str(out)))
        assert found
        assert not any("/out/" in row.url for row in found)
    (fault,) = rows([str(songs)], {}, str(songs))
    assert isinstance(fault, Fault)
    assert "another --out" in fault.message
