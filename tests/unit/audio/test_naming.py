"""Names that every system accepts and that cannot leave their folder."""

import string
import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.audio.naming import MAX_NAME_BYTES, expand_template, lay_out, safe_name
from utils.core.errors import InvalidRequest

WINDOWS_RESERVED = {"con", "prn", "aux", "nul", "com1", "lpt9"}


def expand(template, **values):
    return expand_template(template, **{"track": "Song", "stem": "vocals", "model": "htdemucs", "index": 7} | values)


@given(st.text(st.characters(), max_size=400))
def test_any_text_gives_a_name_that_every_system_accepts(text):
    """No separator, control or reserved character; not empty; short; NFC; no dot or space at the end."""
    name = safe_name(text)
    assert name
    assert name not in (".", "..")
    assert len(name.encode("utf-8")) <= MAX_NAME_BYTES
    assert not set(name) & set('<>:"/\\|?*')
    assert all(unicodedata.category(character) != "Cc" for character in name)
    assert name == unicodedata.normalize("NFC", name)
    assert not name.endswith((".", " "))
    assert name.split(".")[0].strip().lower() not in WINDOWS_RESERVED


@given(st.text(st.characters(), max_size=200))
def test_a_safe_name_is_safe(text):
    """Doing it twice changes nothing."""
    assert safe_name(safe_name(text)) == safe_name(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Björk - Jóga", "Björk - Jóga"),
        ("🎵 песня 曲", "🎵 песня 曲"),
        ("AC/DC: Live?", "AC_DC_ Live_"),
        ("a\\b", "a_b"),
        ("nul", "_nul"),
        ("COM1.wav", "_COM1.wav"),
        ("lpt² .x", "_lpt² .x"),
        ("console", "console"),
        ("wait...", "wait"),
        ("..", "_"),
        ("", "_"),
        (" \t ", "_"),
        ("line\nbreak\0", "line_break_"),
        ("caf\udce9", "caf_"),
        ("e\u0301", "é"),
    ],
)
def test_names_stay_close_to_the_original(text, expected):
    """What is harmless is kept, whatever its script."""
    assert safe_name(text) == expected


def test_a_long_name_is_cut_between_characters():
    """No half character is left at the limit."""
    assert set(safe_name("🎵" * 100)) == {"🎵"}


def test_a_template_makes_folders():
    """Fields are filled in and `/` separates folders."""
    assert expand("{model}/{track}/{index}_{stem}") == Path("htdemucs/Song/7_vocals")
    assert expand("{track}_({stem})") == Path("Song_(vocals)")
    assert expand("./{{{stem}}}") == Path("{vocals}")


@pytest.mark.parametrize("value", ["../../etc", "/etc/passwd", "a\\b", "C:x", ".."])
def test_a_value_cannot_make_folders(value):
    """A track or stem with separators in its name stays one component."""
    path = expand("{track}/{stem}", track=value, stem=value)
    assert len(path.parts) == 2
    assert ".." not in path.parts
    assert not path.is_absolute()


@given(template=st.text(string.ascii_letters + "./\\ {}", max_size=30), track=st.text(max_size=30))
def test_no_template_leaves_the_folder(template, track):
    """Whatever the template: an error, or a relative path without `..`."""
    try:
        path = expand(template, track=track)
    except InvalidRequest:
        return
    assert path.parts
    assert not path.is_absolute()
    assert ".." not in path.parts


@pytest.mark.parametrize(
    "template", ["", "/", "/abs/{stem}", "../{stem}", "a/../{stem}", "a//b", "{stem}/", " .. /x", "."]
)
def test_a_template_outside_the_folder_is_refused(template):
    """Absolute paths, `..` and empty components are errors about the field."""
    with pytest.raises(InvalidRequest, match="inside the output directory") as caught:
        expand(template)
    assert caught.value.field == "name_template"


def test_an_unknown_field_names_the_known_ones():
    """A typo in a template says what there is."""
    with pytest.raises(InvalidRequest, match=r"\{track\}, \{stem\}, \{model\}, \{index\}.*mean: track"):
        expand("{trak}/{stem}")


@pytest.mark.parametrize("template", ["{stem", "stem}", "{stem!r}", "{index:03d}", "{}", "{stem.__class__}", "{0}"])
def test_other_format_syntax_is_refused(template):
    """Only plain fields exist, so that a template cannot reach into objects."""
    with pytest.raises(InvalidRequest):
        expand(template)


@pytest.mark.parametrize("template", ["{track}_({stem})", "{stem} {track}", "{track}{track}-{stem}"])
@pytest.mark.parametrize("track", ["x" * 400, "é" * 200, "🎵" * 100])
def test_a_long_track_is_cut_and_the_stem_stays(template, track):
    """The part of a name that tells stems apart survives."""
    name = expand(template, track=track).name
    assert "vocals" in name
    assert len(name.encode("utf-8")) <= MAX_NAME_BYTES


def test_a_layout_names_each_stems_file():
    """One relative path for each stem, with the extension."""
    found = lay_out(
        [("drums", "{track}/{stem}"), ("a.b", "{track}/{stem}")], track="T", model="m", index=1, extension="flac"
    )
    assert {stem: path.as_posix() for stem, path in found.items()} == {"drums": "T/drums.flac", "a.b": "T/a.b.flac"}


@pytest.mark.parametrize(
    ("template", "stems"), [("{track}", ["a", "b"]), ("{stem}", ["Vocals", "vocals"]), ("{stem}", ["a/b", "a:b"])]
)
def test_two_stems_in_one_file_are_refused(template, stems):
    """Also where only case, which some disks ignore, tells them apart."""
    with pytest.raises(InvalidRequest, match="same file"):
        lay_out([(stem, template) for stem in stems], track="T", model="m", index=1, extension="wav")


def test_windows_separators_make_folders_too():
    """A template written on Windows means the same."""
    assert PurePosixPath(expand("{track}\\{stem}").as_posix()) == PurePosixPath("Song/vocals")


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\u00ad"])
def test_what_cannot_be_seen_is_left_out(mark):
    """No name can look like another, or seem to end in another extension."""
    assert safe_name(f"so{mark}ng{mark}") == "song"
    assert safe_name(mark) == "_"


@pytest.mark.parametrize("name", ["می\u200cشود", "👩\u200d🎤 live", "क्\u200dष"])
def test_joiners_that_show_are_kept(name):
    """Persian words and emoji would fall apart without them; at the end of a name or after Latin letters they go."""
    assert safe_name(name) == name
    assert safe_name(f"{name}\u200d") == name
    assert safe_name(f"so\u200dng {name}") == f"song {name}"
