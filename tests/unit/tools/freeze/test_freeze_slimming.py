"""Slimming, on small folders and artificial libraries: the result is small and reproducible."""

import os
import py_compile
import struct
import subprocess
import sys
import zipfile

import pytest

from tools.freeze import slimming

PT_NOTE = 4


def elf(*parts, bits=2):
    """An ELF header and its program headers: `parts` are type, offset and address."""
    head = bytearray(64)
    head[:5] = b"\x7fELF" + bytes([bits])
    struct.pack_into("<Q", head, 0x20, 64)
    struct.pack_into("<HH", head, 0x36, 56, len(parts))
    rows = (struct.pack("<IIQQ", kind, 0, offset, address).ljust(56, b"\0") for kind, offset, address in parts)
    return bytes(head) + b"".join(rows)


def tree(folder, age):
    """A small frozen library, built at the time `age`."""
    (folder / "lib").mkdir(parents=True)
    (folder / "module.py").write_text("VALUE = 3\n")
    os.utime(folder / "module.py", (age, age))
    py_compile.compile(str(folder / "module.py"), str(folder / "lib" / "module.pyc"), dfile="/frozen/module.py")
    names = ["b.pyc", "a.pyc", "_sysconfigdata_x.pyc"]
    with zipfile.ZipFile(folder / "lib" / "library.zip", "w") as archive:
        for name in names if age % 2 else reversed(names):
            archive.writestr(name, (folder / "lib" / "module.pyc").read_bytes())
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in slimming.files(folder)}


@pytest.mark.parametrize(
    ("parts", "fine"),
    [
        ([(slimming.PT_LOAD, 0, 0), (slimming.PT_LOAD, 0x1200, 0x3200)], True),
        ([(slimming.PT_LOAD, 0, 0), (slimming.PT_LOAD, 0x1200, 0x3300)], False),
        ([(PT_NOTE, 0x10, 0x25)], True),
    ],
)
def test_mapped_segments_must_be_page_aligned(parts, fine):
    """Segments that the loader maps need the same offset within a page in file and memory; others do not."""
    assert slimming.is_mappable(elf(*parts)) is fine


def test_32_bit_libraries_are_left_alone():
    """Their headers have another layout."""
    assert not slimming.is_mappable(elf(bits=1))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux libraries are stripped")
@pytest.mark.parametrize("broken", [False, True])
def test_a_library_that_stripping_breaks_stays_as_it_was(tmp_path, broken):
    """A smaller copy is kept only if it can be mapped, and gets the mode of the original; other files are ignored."""
    library, text = tmp_path / "lib.so", tmp_path / "note.txt"
    before = elf((slimming.PT_LOAD, 0, 0)) + b"symbols"
    library.write_bytes(before)
    library.chmod(0o755)
    text.write_text("symbols")
    smaller = elf((slimming.PT_LOAD, 0, 0x10 if broken else 0))
    (tmp_path / "smaller").write_bytes(smaller[4:])  # not a library, or it would be stripped itself
    strip = tmp_path / "strip"
    strip.write_text(f'#!/bin/sh\nprintf "\\177ELF" > "$3"\ncat "{tmp_path}/smaller" >> "$3"\n')
    strip.chmod(0o755)
    saved = slimming.strip_symbols(tmp_path, str(strip))
    assert library.read_bytes() == (before if broken else smaller)
    assert saved == (0 if broken else len("symbols"))
    assert library.stat().st_mode & 0o777 == 0o755
    assert text.read_text() == "symbols"
    assert not list(tmp_path.glob("*.stripped"))


def test_nothing_shows_when_it_was_built(tmp_path):
    """Two builds from different times are equal in content, order, times and modes."""
    first, second = (tree(tmp_path / name, age) for name, age in (("a", 1_600_000_001), ("b", 1_700_000_000)))
    assert contents(first) != contents(second)
    for folder in (first, second):
        slimming.forget_times(folder, 1_767_225_600)
    assert contents(first) == contents(second)
    facts = [[(p.stat().st_mtime, p.stat().st_mode) for p in slimming.files(folder)] for folder in (first, second)]
    assert facts[0] == facts[1]
    assert {time for time, _ in facts[0]} == {1_767_225_600}


def test_code_still_runs_without_timestamps(tmp_path):
    """Compiled modules still run, and the archive has everything except how Python was compiled."""
    folder = tree(tmp_path / "a", 1_600_000_000)
    slimming.forget_times(folder, 1_767_225_600)
    code = "import module; print(module.VALUE)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder / "lib", capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"
    with zipfile.ZipFile(folder / "lib" / "library.zip") as archive:
        assert archive.namelist() == ["a.pyc", "b.pyc"]


def test_sources_are_compiled_in_advance(tmp_path):
    """The compiled code is used whatever the times of the sources, and nothing is written next to them."""
    lib = tmp_path / "lib"
    lib.mkdir()
    (lib / "config.py").write_text("VALUE = 4\n")
    slimming.compile_sources(lib, "/frozen")
    slimming.forget_times(lib, 1_767_225_600)
    before = contents(lib)
    code = "import config; print(config.VALUE, config.__cached__)"
    done = subprocess.run([sys.executable, "-v", "-c", code], cwd=lib, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("4 ")
    assert "wrote" not in "".join(line for line in done.stderr.splitlines() if "config" in line)
    assert contents(lib) == before
    assert b"/frozen/config.py" in next(iter((lib / "__pycache__").iterdir())).read_bytes()


def test_duplicates_become_hard_links(tmp_path):
    """Files that are large enough and have the same mode are linked, and keep their content."""
    same, mode = b"x" * slimming.WORTH_LINKING_BYTES, {"c": 0o755}
    for name, data in {"a": same, "b": same, "c": same, "d": same[:-1] + b"y", "e": b"x", "f": b"x"}.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(mode.get(name, 0o644))
    assert slimming.link_copies(tmp_path) == len(same) * (2 if sys.platform == "win32" else 1)
    assert (tmp_path / "a").samefile(tmp_path / "b")
    assert not any((tmp_path / "a").samefile(tmp_path / name) for name in "def")
    assert (tmp_path / "b").read_bytes() == same


def test_folders_of_left_out_packages_are_removed(tmp_path):
    """Their data goes too, and names that do not exist are ignored."""
    (tmp_path / "torch" / "_dynamo").mkdir(parents=True)
    (tmp_path / "torch" / "_dynamo" / "config.py").touch()
    (tmp_path / "torch" / "nn").mkdir()
    slimming.remove_left_out(tmp_path, ["torch._dynamo", "sympy", "torch.nn.missing"])
    assert [path.name for path in (tmp_path / "torch").iterdir()] == ["nn"]
