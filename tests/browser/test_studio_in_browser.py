"""The page of DSU Studio in a real browser, against a stand-in for the server."""

from pathlib import Path

from node_runtime import program, run

STUDIO = Path(__file__).resolve().parents[2] / "studio"


def test_the_page_works_in_a_browser(node, request):
    """Sending, the queue, listening, recipes, export, keys, screen readers, narrow and wide: its own tests pass."""
    npm = program("npm")
    for words in (("ci",), ("run", "build"), ("test", "--", "page")):
        done = run(npm, *words, cwd=STUDIO, env={"DSU_BROWSER": str(request.config.getoption("--browser"))})
        assert done.returncode == 0, done.stdout + done.stderr
