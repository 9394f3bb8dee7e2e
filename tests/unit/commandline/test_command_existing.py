"""Which songs count as done for `--skip-existing`."""

from pathlib import Path

import pytest

from utils.commandline.demucs import PROGRAM
from utils.commandline.existing import Results, expected_stems, split_done
from utils.core.many_files import unique_tracks

STEMS = ("drums", "vocals")


def results(out, *names):
    for name in names:
        path = Path(out, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def todo(out, *words, inputs=("a.wav", "b.wav"), stems=STEMS, trees=()):
    request = PROGRAM.parse(["-n", "net", "-o", str(out), *words, *inputs]).request
    expected = Results("net", expected_stems(request, stems))
    paths = [Path(name) for name in inputs]
    return [
        path.as_posix()
        for path in split_done(dict(zip(paths, unique_tracks(paths, trees), strict=True)), request, expected)[0]
    ]


def test_song_with_all_its_stems_is_done(tmp_path):
    """One missing stem means that the song is separated again."""
    results(tmp_path, "net/a/drums.wav", "net/a/vocals.wav", "net/b/drums.wav")
    assert todo(tmp_path) == ["b.wav"]


def test_other_models_and_formats_do_not_count(tmp_path):
    """Results of another model or in another format are other results."""
    results(tmp_path, "net/a/drums.flac", "net/a/vocals.flac", "other/b/drums.wav", "other/b/vocals.wav")
    assert todo(tmp_path) == ["a.wav", "b.wav"]
    assert todo(tmp_path, "--flac") == ["b.wav"]


def test_template_of_the_user_is_followed(tmp_path):
    """Results are looked for where `--filename` puts them."""
    results(tmp_path, "net/a_drums.wav", "net/a_vocals.wav")
    assert todo(tmp_path, "--filename", "{track}_{stem}.{ext}") == ["b.wav"]


def test_unknown_stems_are_done_when_there_is_one(tmp_path):
    """Results appear all at once, so one stem stands for all where their names are not known."""
    results(tmp_path, "net/a/anything.wav")
    assert todo(tmp_path, stems=()) == ["b.wav"]


@pytest.mark.parametrize("name", ["[live] a*", "a?b"])
def test_special_characters_are_plain_here(tmp_path, name):
    """Brackets, stars and question marks of a song's name are no wildcards."""
    results(tmp_path, "net/l a1/drums.wav", "net/axb/drums.wav")
    assert todo(tmp_path, inputs=(f"{name}.wav",), stems=("drums",)) == [f"{name}.wav"]


def test_songs_of_one_name_have_results_of_their_own(tmp_path):
    """Numbered by their order, also where the first is skipped."""
    results(tmp_path, "net/a/drums.wav", "net/a/vocals.wav")
    assert todo(tmp_path, inputs=("x/a.wav", "y/a.wav")) == ["y/a.wav"]
    results(tmp_path, "net/a (2)/drums.wav", "net/a (2)/vocals.wav")
    assert todo(tmp_path, inputs=("x/a.wav", "y/a.wav")) == []


def test_results_in_folders_as_the_songs(tmp_path):
    """They are looked for where they are written: in those folders, and below them as ever."""
    results(tmp_path, "x/net/a/drums.wav", "x/net/a/vocals.wav", "net/a/drums.wav", "net/a/vocals.wav")
    assert todo(tmp_path, inputs=("x/a.wav", "y/a.wav"), trees=("x", "y")) == ["y/a.wav"]


def test_stem_in_another_case_is_the_same(tmp_path):
    """Stems are asked for in any case, and written as the model calls them."""
    results(tmp_path, "net/a/Vocals.wav", "net/a/no_Vocals.wav")
    assert todo(tmp_path, "--two-stems", "vocals") == ["b.wav"]


def test_brackets_of_a_template_are_plain_too(tmp_path):
    """What stands between the fields of a template is no pattern."""
    results(tmp_path, "net/[1] a/drums.wav", "net/1 b/drums.wav")
    assert todo(tmp_path, "--filename", "[1] {track}/{stem}.{ext}", stems=("drums",)) == ["b.wav"]


def test_names_without_the_track_tell_nothing_about_many_songs(tmp_path):
    """Results that are only numbered may be those of any song."""
    results(tmp_path, "net/1 drums.wav", "net/2 drums.wav")
    words = ["--filename", "{index} {stem}.{ext}"]
    assert todo(tmp_path, *words, stems=("drums",)) == ["a.wav", "b.wav"]
    assert todo(tmp_path, *words, inputs=("a.wav",), stems=("drums",)) == []


@pytest.mark.parametrize(
    ("words", "more", "stems"),
    [
        ([], {}, ("drums", "vocals")),
        (["--stems", "drums"], {}, ("drums",)),
        (["--two-stems", "vocals"], {}, ("vocals", "no_vocals")),
        (["--two-stems", "vocals"], {"rest": False}, ("vocals",)),
        (["--stems", "drums"], {"also": ["instrumental"]}, ("drums", "instrumental")),
    ],
)
def test_expected_stems_are_those_asked_for(words, more, stems):
    """What is written follows from the options."""
    assert expected_stems(PROGRAM.parse([*words, "a.wav"]).request, STEMS, **more) == stems
