"""Nothing goes into the folder without a licence and its text."""

import sys

import pytest
from fake_packages import make_distribution

from tools.freeze import licences

MIT = "License-Expression: MIT"


def test_texts_in_metadata_and_package_are_collected(tmp_path):
    """Texts are recognised under all their usual names; code is not a text."""
    files = {
        "p-1.0.dist-info/licenses/LICENSE": "mine",
        "p-1.0.dist-info/licenses/vendor/COPYING.LESSER": "theirs",
        "p/ThirdPartyNotices.txt": "others",
        "p/license.py": "code",
        "p/readme.txt": "hello",
    }
    licence = licences.licence_of(make_distribution(tmp_path, "p", lines=[MIT], files=files))
    assert (licence.component, licence.version, licence.statement) == ("p", "1.0", "MIT")
    expected = {"LICENSE": b"mine", "vendor/COPYING.LESSER": b"theirs", "ThirdPartyNotices.txt": b"others"}
    assert dict(licence.texts) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["License-Expression: MIT", "License: no"], "MIT"),
        (["Classifier: License :: OSI Approved :: BSD License", "License: see below"], "BSD License"),
        (["License: MIT"], "MIT"),
        ([f"License: {'A long text about rights. ' * 9}"], "A long text about rights. A long text"),
        (["Classifier: Topic :: Sound"], ""),
    ],
)
def test_statements_are_read_from_newer_and_older_metadata(tmp_path, lines, expected):
    """The expression has precedence over classifiers, and those over the free-text field, which may be the text itself."""
    stated = licences.stated(make_distribution(tmp_path, "p", lines=lines))
    assert stated.startswith(expected)
    assert bool(expected) == bool(stated)
    assert len(stated) <= licences.LONGEST_NAME


def test_no_statement_is_an_error(tmp_path):
    """The message names the package."""
    made = make_distribution(tmp_path, "p", files={"p/LICENSE": "text"})
    with pytest.raises(licences.LicenceMissing, match=r"p 1\.0 does not state"):
        licences.licence_of(made)


def test_no_text_is_an_error(tmp_path):
    """Unless it is a standard licence whose text is in the repository."""
    with pytest.raises(licences.LicenceMissing, match="does not contain the text"):
        licences.licence_of(make_distribution(tmp_path, "p", lines=[MIT]))
    apache = make_distribution(tmp_path, "q", lines=["Classifier: License :: OSI Approved :: Apache Software License"])
    ((name, text),) = licences.licence_of(apache).texts
    assert name == "Apache-2.0.txt"
    assert b"Apache License" in text


def test_python_itself_has_a_licence():
    """It comes from the installation that runs the build."""
    licence = licences.licence_of_python()
    assert licence.version == ".".join(str(number) for number in sys.version_info[:3])
    assert b"PYTHON SOFTWARE FOUNDATION" in licence.texts[0][1]


def test_licences_are_written_with_an_index(tmp_path):
    """Folders are named by component and version, and the index is in alphabetical order."""
    listed = [
        licences.Licence("zeta", "2", "MIT", "https://z", (("sub/LICENSE", b"z"),)),
        licences.Licence("Alpha", "1", "BSD", "", (("COPYING", b"a"),)),
    ]
    licences.write_licences(tmp_path, listed)
    assert (tmp_path / "zeta-2" / "sub" / "LICENSE").read_bytes() == b"z"
    assert (tmp_path / "Alpha-1" / "COPYING").read_bytes() == b"a"
    index = (tmp_path / "README.txt").read_text(encoding="utf-8")
    assert index.index("Alpha 1\n    BSD") < index.index("zeta 2\n    MIT\n    https://z")
    assert "GPL" in index
