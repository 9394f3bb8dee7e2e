"""Archives: unpacking gives back what was packed, and nothing else influences the bytes."""

import hashlib
import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tools.freeze import archives

TIMES = (1_600_000_000, 1_700_000_000)
WHEN = 1_767_225_600
ENDINGS = [*archives.PACKERS]


def make_folder(parent, age, names=("lib/b.bin", "lib/a.txt", "dsu-demucs", "lib/ü 1.txt")):
    folder = parent / "dsu"
    (folder / "lib" / "empty").mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(name.encode() * 50_000)
        (folder / name).chmod(0o755 if name == "dsu-demucs" else 0o600 if age == TIMES[0] else 0o644)
        os.utime(folder / name, (age, age))
    return folder


def unpack(archive, target):
    if archive.name.endswith(".tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(target, filter="tar")
    elif archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(target)
    else:
        import py7zr

        with py7zr.SevenZipFile(archive) as packed:
            packed.extractall(target)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_unpacking_gives_back_what_was_packed(tmp_path, ending):
    """Files, empty folders, and names in any script."""
    folder = make_folder(tmp_path, TIMES[0])
    archives.pack(folder, tmp_path / f"x{ending}", WHEN)
    unpack(tmp_path / f"x{ending}", tmp_path / "out")
    assert contents(tmp_path / "out" / "dsu") == contents(folder)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_folder_gives_the_same_bytes(tmp_path, ending, monkeypatch):
    """File times, location, the clock and the name of the archive make no difference."""
    digests = set()
    for age in TIMES:
        monkeypatch.setattr("time.time", lambda now=age: float(now))
        place = tmp_path / str(age)
        folder = make_folder(place, age)
        archives.pack(folder, place / f"{age}{ending}", WHEN)
        digests.add(archives.sha256(place / f"{age}{ending}"))
        assert not list(place.glob("*.part"))
    assert len(digests) == 1


@pytest.mark.parametrize("ending", ENDINGS)
def test_different_contents_give_different_bytes(tmp_path, ending):
    """So the test above can fail."""
    digests = set()
    for text in (b"one", b"two"):
        folder = make_folder(tmp_path / text.decode(), TIMES[0])
        (folder / "lib" / "a.txt").write_bytes(text)
        archives.pack(folder, tmp_path / f"{text.decode()}{ending}", WHEN)
        digests.add(archives.sha256(tmp_path / f"{text.decode()}{ending}"))
    assert len(digests) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_programs_stay_executable(tmp_path):
    """Modes only keep the executable bit, and there is no owner."""
    folder = make_folder(tmp_path, TIMES[0])
    archives.pack(folder, tmp_path / "x.tar.gz", WHEN)
    with tarfile.open(tmp_path / "x.tar.gz") as packed:
        modes = {entry.name: entry.mode for entry in packed}
        assert {(entry.uid, entry.uname, entry.mtime) for entry in packed} == {(0, "", WHEN)}
    archives.pack(folder, tmp_path / "x.zip", WHEN)
    with zipfile.ZipFile(tmp_path / "x.zip") as packed:
        zipped = {entry.filename.rstrip("/"): entry.external_attr >> 16 & 0o777 for entry in packed.infolist()}
    assert modes == zipped
    assert (modes["dsu/dsu-demucs"], modes["dsu/lib/a.txt"], modes["dsu/lib"]) == (0o755, 0o644, 0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="archives for Windows are not tar archives")
def test_hard_links_are_packed_once(tmp_path):
    """They are hard links again after unpacking."""
    folder = make_folder(tmp_path, TIMES[0])
    (folder / "dsu-audiosep").hardlink_to(folder / "dsu-demucs")
    archives.pack(folder, tmp_path / "x.tar.gz", WHEN)
    unpack(tmp_path / "x.tar.gz", tmp_path / "out")
    assert (tmp_path / "out/dsu/dsu-audiosep").samefile(tmp_path / "out/dsu/dsu-demucs")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failure_leaves_nothing(tmp_path, ending, monkeypatch):
    """There is no partial archive, and an earlier one stays as it was."""
    folder = make_folder(tmp_path, TIMES[0])
    (tmp_path / f"x{ending}").write_bytes(b"before")

    def fail(folder):
        raise OSError("disk full")

    monkeypatch.setattr(archives, "entries", fail)
    with pytest.raises(OSError, match="disk full"):
        archives.pack(folder, tmp_path / f"x{ending}", WHEN)
    assert (tmp_path / f"x{ending}").read_bytes() == b"before"
    assert not list(tmp_path.glob("*.part"))


def test_checksums_are_in_the_format_of_sha256sum(tmp_path):
    """New archives replace their lines, other existing archives keep theirs, and lines of deleted archives are dropped."""
    for name in ("b.zip", "a.zip"):
        (tmp_path / name).write_bytes(name.encode())
    archives.write_checksums(tmp_path, [tmp_path / "b.zip", tmp_path / "a.zip"])
    (tmp_path / "a.zip").write_bytes(b"new")
    (tmp_path / "b.zip").unlink()
    (tmp_path / "c.zip").write_bytes(b"c")
    path = archives.write_checksums(tmp_path, [tmp_path / "c.zip", tmp_path / "a.zip"])
    expected = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in (("a.zip", b"new"), ("c.zip", b"c"))]
    assert path.read_bytes().decode() == "".join(expected)


# Parts ------------------------------------------------------------------------------------------------------------


def test_a_large_archive_is_there_in_parts_too(tmp_path):
    """None is larger than allowed, together they are the archive, and a script joins them."""
    archive = tmp_path / "dsu-linux-cuda.tar.gz"
    archive.write_bytes(os.urandom(2500))
    *parts, script = archives.split(archive, 1000)
    assert [part.name for part in parts] == [f"{archive.name}.00{number}" for number in (1, 2, 3)]
    assert [part.stat().st_size for part in parts] == [1000, 1000, 500]
    whole = archive.read_bytes()
    archive.unlink()
    done = subprocess.run(["sh", script], capture_output=True, text=True, check=True, cwd="/")
    assert archive.read_bytes() == whole
    assert f"{archive.name}: OK" in done.stdout


def test_parts_for_windows_are_joined_by_its_own_means(tmp_path):
    """A copy of several files into one; 7-Zip opens the first part even without."""
    archive = tmp_path / "dsu-win-cuda.7z"
    archive.write_bytes(bytes(1001))
    *_, script = archives.split(archive, 1000)
    assert script.read_bytes().splitlines()[-1] == b"copy /b dsu-win-cuda.7z.001+dsu-win-cuda.7z.002 dsu-win-cuda.7z"


def test_an_archive_that_fits_has_no_parts(tmp_path):
    """Nor those that an earlier, larger one has left."""
    archive = tmp_path / "dsu-linux-cpu.tar.gz"
    archive.write_bytes(bytes(1000))
    (tmp_path / f"{archive.name}.001").touch()
    assert archives.split(archive, 1000) == []
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]
