"""The pages of the documentation become a site: without a warning, without a link that leads nowhere, and without a network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FROM_ELSEWHERE = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a strict build, as `run.py docs` makes it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_elsewhere(site):
    """Neither scripts nor fonts nor pictures: they are read where there is no network."""
    pages = [*site.rglob("*.html")]
    assert len(pages) > 30
    assert [page.name for page in pages if FROM_ELSEWHERE.search(page.read_text(encoding="utf-8"))] == []


def test_the_search_is_there_without_a_server(site):
    """Its index is a script, which pages from the disk may load, and has what is in the pages beside the sources, too."""
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "WorkerPool" in index
    assert "device_lost" in index


def test_a_link_to_a_file_of_the_sources_leads_to_the_file(site):
    """The site has the file, as it is."""
    assert (site / "build_dsu.py").read_bytes() == (ROOT / "build_dsu.py").read_bytes()


def test_every_document_is_in_the_navigation():
    """mkdocs would only warn; here it is plain which one is missing."""

    class Loader(yaml.SafeLoader):
        """Reads what mkdocs.yml has beyond plain YAML as nothing."""

    Loader.add_multi_constructor("!", lambda *_: None)
    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.load(text, Loader)["nav"]
    named = [page for section in nav for pages in section.values() for page in pages]
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= set(named)
    assert len(named) == len(set(named))
