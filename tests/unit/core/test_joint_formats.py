"""Formats of which one file holds all stems, in requests."""

import pytest

from utils.core.errors import InvalidRequest, UnsupportedFormat
from utils.core.package_request import PackageSeparate
from utils.core.requests import Apollo, DemucsSeparate, Denoise, NetworkSeparate, format_of


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("a.wav", "wav"),
        ("a.AIF", "aiff"),
        ("a.stem.m4a", "stem.m4a"),
        ("folder.stem/a.M4A", "m4a"),
        ("a.Stem.MP4", "stem.m4a"),
        ("a.b.mka", "mka"),
        ("a.stem.wav", "wav"),
        ("a.stem", None),
        ("a", None),
        (".mka", None),
    ],
)
def test_an_extension_names_a_format(file, expected):
    """The longest one that there is."""
    assert format_of(file) == expected


@pytest.mark.parametrize("form", ["stem.m4a", "mka"])
@pytest.mark.parametrize(
    ("kind", "template"),
    [
        (NetworkSeparate, "{track}"),
        (DemucsSeparate, "{model}/{track}"),
        (Apollo, "{track}"),
        (Denoise, "{track}"),
    ],
)
def test_the_file_is_named_after_the_song(kind, template, form):
    """The default templates lose what is for stems."""
    assert kind(input="a", format=form).template_of("drums") == template
    assert kind(input="a", format=form, name_template="x/{track}").template_of(None) == "x/{track}"


def test_a_template_for_stems_is_refused():
    """There is no stem to name a file after; the hint shows another template."""
    with pytest.raises(InvalidRequest, match="holds all stems") as caught:
        NetworkSeparate(input="a", format="mka", name_template="{track}/{stem}").template_of(None)
    assert caught.value.field == "name_template"
    assert '"{track}"' in caught.value.hint


@pytest.mark.parametrize("form", ["stem.m4a", "mka"])
def test_the_package_writes_a_file_for_each_stem(form):
    """So its command has none of these formats."""
    with pytest.raises(UnsupportedFormat, match="a file for each"):
        _ = PackageSeparate(input="a", format=form).audio_format
    assert PackageSeparate(input="a", format="flac").audio_format == "flac"
