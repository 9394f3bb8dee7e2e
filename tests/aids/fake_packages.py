"""Installed distributions made from a few files, for the tests in this folder."""

from importlib import metadata


def make_distribution(site, name, version="1.0", *, lines=(), files=None):
    """Write a package's metadata and its files, named relative to `site`, and return the distribution."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join([f"Name: {name}", f"Version: {version}", *lines]) + "\n", encoding="utf-8")
    named = {f"{info.name}/METADATA": None, **(files or {})}
    for path, content in named.items():
        if content is not None:
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_text(content, encoding="utf-8")
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in named), encoding="utf-8")
    return metadata.Distribution.at(info)
