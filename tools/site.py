"""What mkdocs.yml cannot say: pages of the site that lie beside the sources, and links as the repository has them.

The documents are written to be read in a repository, too: their links are relative to where they lie. In the site, a link to one of
its pages leads to that page, and a link to any other file of the repository to the file's text, which the site holds as well.
mkdocs calls the functions whose names begin with `on_`.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
# Pages that lie elsewhere; in the site they have the same names.
BESIDE = (
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "benchmarks/RESULTS.md",
    "clients/node/README.md",
    "clients/python/README.md",
    "clients/max/README.md",
    "training/README.md",
    "examples/README.md",
)
TITLES = {
    "clients/node/README.md": "The Node.js client",
    "clients/python/README.md": "The Python client",
    "clients/max/README.md": "The scripts for Max",
    "benchmarks/RESULTS.md": "Measurements",
    "training/README.md": "Training",
    "examples/README.md": "Examples",
    "SECURITY.md": "Security",
    "CHANGELOG.md": "Changes",
}
FENCED = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie beside the sources."""
    for name in BESIDE:
        if (ROOT / name).is_file():
            files.append(_file(name, config))
    return files


def _file(name: str, config: MkDocsConfig) -> File:
    return File(name, str(ROOT), str(config.site_dir), config.use_directory_urls)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files, **_: Any) -> str:
    """Turn the links of the repository into those of the site."""
    source = page.file.src_uri
    if source in TITLES:
        page.title = TITLES[source]
    parts = FENCED.split(markdown)
    parts[::2] = [LINK.sub(lambda found: _link(found, source, config, files), part) for part in parts[::2]]
    return "".join(parts)


def _link(found: re.Match[str], source: str, config: MkDocsConfig, files: Files) -> str:
    """A link of a page, by what it leads to in the repository."""
    before, address, after = found.groups()
    here = source if source in BESIDE else DOCS + source
    target = posixpath.normpath(posixpath.join(posixpath.dirname(here), address))
    uri = target.removeprefix(DOCS)
    if files.get_file_from_path(uri) is None and not target.startswith(DOCS) and (ROOT / target).is_file():
        files.append(_file(target, config))
    elif (ROOT / target).is_dir():
        uri = f"{target}/README.md"
    relative = posixpath.relpath(uri, posixpath.dirname(source) or ".")
    return f"{before}{relative}{after}"
