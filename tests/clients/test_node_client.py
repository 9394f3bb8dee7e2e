"""The Node.js client: its own tests, its types, and what a user gets from `npm install`."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from node_runtime import missing, program, run

from clients.node import generate_types
from tools.freeze import archives
from utils import __version__
from utils.serving.commands.table import commands_of
from workers import WORKERS

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "node"
TYPES = ("typescript@5.9.3", "@types/node@20.19.25", "electron@45.5.0")
UNREACHABLE = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT)\b")


@pytest.fixture(scope="module")
def installed(node, tmp_path_factory):
    """An empty folder into which the packed client was installed, without any network."""
    del node
    npm = program("npm")
    folder = tmp_path_factory.mktemp("installed")
    packed = run(npm, "pack", "--pack-destination", folder, cwd=CLIENT)
    assert packed.returncode == 0, packed.stderr
    (archive,) = folder.glob("*.tgz")
    (folder / "package.json").write_text("{}", encoding="utf-8")
    done = run(npm, "install", "--offline", archive, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.e2e
@pytest.mark.parametrize("path", sorted(CLIENT.glob("test/*.test.js")), ids=lambda path: path.name)
def test_the_client_passes_its_own_tests(node, path, worker_dir, request):
    """Against a worker that misbehaves, and against real ones: scripts, or the frozen build where one is named."""
    env = {"DSU_TEST_DIR": str(worker_dir.resolve())} if worker_dir else {"DSU_TEST_PYTHON": sys.executable}
    if not request.config.getoption("--long"):
        env["DSU_TEST_KILLS"] = "16"  # `npm test` does 80
    done = run(node, "--test", path, cwd=CLIENT, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_npm_test_runs_nothing_but_tests():
    """`node --test` runs every file in a folder `test`; a helper there, such as the worker that misbehaves, would never end."""
    assert json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))["scripts"]["test"] == "node --test"
    assert {path.name.partition(".")[2] for path in (CLIENT / "test").iterdir()} == {"test.js"}


def test_types_and_tables_are_those_of_the_workers():
    """What is generated from the protocol is fresh."""
    stale = [path.name for path, text in generate_types.render().items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "`python -m clients.node.generate_types` writes them anew"


def test_a_stale_file_is_noticed(tmp_path, monkeypatch, capsys):
    """`--check` writes nothing, names what is stale and answers with 1; without it the files are written."""
    target = tmp_path / "protocol.d.ts"
    monkeypatch.setattr(generate_types, "render", lambda: {target: "new\n"})
    assert generate_types.main(["--check"]) == 1
    assert "protocol.d.ts is stale" in capsys.readouterr().err
    assert not target.exists()
    assert generate_types.main([]) == 0
    assert generate_types.main(["--check"]) == 0


def test_every_command_has_a_method():
    """A command of any worker is sent by a generated method or by one that is written by hand, and is typed."""
    commands = {name for worker in WORKERS.values() for name in commands_of(worker)}
    generated, own = generate_types.methods(), generate_types.OWN_METHODS
    assert sorted([*generated.values(), *own]) == sorted(commands)
    types = (CLIENT / "protocol.d.ts").read_text(encoding="utf-8") + (CLIENT / "index.d.ts").read_text(encoding="utf-8")
    assert [name for name in [*generated, *own.values()] if not re.search(rf"^  {name}[:(]", types, re.MULTILINE)] == []


def test_every_method_says_what_it_does():
    """Each function and method in the types has a comment, so that editors show it; a second signature shares that of the first."""
    method = re.compile(r"(?:  |export function )(\[?[\w.]+\]?)(?:<.*>)?\??(?:\(|: \w*Method\w*<)")
    for name in ("protocol.d.ts", "index.d.ts", "runtime.d.ts"):
        lines = (CLIENT / name).read_text(encoding="utf-8").splitlines()
        names = [found[1] if (found := method.match(line)) else None for line in lines]
        pairs = [(lines[i - 1], names[i - 1], found) for i, found in enumerate(names) if found]
        assert pairs, name
        assert [found for above, before, found in pairs if not above.endswith("*/") and before != found] == []


def test_generated_methods_replace_none_of_the_classs_own():
    """A command named as a method that the class defines itself would silently take its place."""
    source = (CLIENT / "lib" / "worker.js").read_text(encoding="utf-8")
    written = set(re.findall(r"^  (?:async )?(?:get )?\*?(\w+)\(", source, re.MULTILINE))
    assert {"start", "send", "stream", *generate_types.OWN_METHODS.values()} <= written
    assert written.isdisjoint(generate_types.methods())


def test_optional_means_something_else_in_requests_and_replies():
    """A default may be left out by who asks, and is always there for who reads."""
    schema = {"properties": {"n": {"type": "integer", "default": 1}, "x": {"enum": ["a"]}}, "required": ["x"]}
    assert "n?: number;" in generate_types.interface_text("Ask", schema, sent=True)
    assert "n: number;" in generate_types.interface_text("Tell", schema, sent=False)


def test_the_package_has_the_version_of_the_workers():
    """One version, in npm's file and in the README's examples too."""
    package = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == __version__
    assert "dependencies" not in package
    readme = (CLIENT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"dsu-client-(\S+)\.tgz|/dsu/v(\S+?)/", readme)) == {(__version__, ""), ("", __version__)}


def test_the_package_holds_what_it_needs_and_no_more(installed):
    """Sources, types, README and licence; no tests and no generator."""
    package = installed / "node_modules" / "dsu-client"
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    sources = {path.relative_to(CLIENT).as_posix() for path in (CLIENT / "lib").rglob("*.js")}
    entries = {"index.js", "index.mjs", "index.d.ts", "index.d.mts", "protocol.d.ts", "runtime.d.ts"}
    assert files == sources | entries | {"package.json", "README.md", "LICENSE"}


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (
            "commonjs",
            "const client = require('dsu-client'); const same = client; const { ensureRuntime } = require('dsu-client/runtime');",
        ),
        ("module", "import same, * as client from 'dsu-client'; import { ensureRuntime } from 'dsu-client/runtime';"),
    ],
)
def test_an_installed_client_works(node, installed, kind, code):
    """From both kinds of modules, with the same classes, it drives a worker of this checkout."""
    start = f"""{code}
        const worker = new client.DSUWorker('bsroformer', {{ dir: {json.dumps(str(ROOT))}, python: process.argv[1] }});
        if (same.DSUWorker !== client.DSUWorker) throw new Error('two of them');
        if (typeof ensureRuntime !== 'function') throw new Error('nothing to fetch the programs with');
        worker.listModels().then(async ({{ models }}) => {{
            console.log(JSON.stringify(models));
            await worker.shutdown();
        }});
    """
    done = run(node, f"--input-type={kind}", "-e", start, sys.executable, cwd=installed)
    assert done.returncode == 0, done.stderr
    assert "dsu_mini" in json.loads(done.stdout)


@pytest.fixture(scope="module")
def typed(installed):
    """The folder with the installed client, with a compiler and the types of Node.js and Electron."""
    done = run(program("npm"), "install", "--no-save", "--ignore-scripts", *TYPES, cwd=installed)
    if done.returncode != 0 and UNREACHABLE.search(done.stderr):
        missing("npm's registry cannot be reached, and the compiler comes from there.")
    assert done.returncode == 0, done.stderr
    for path in (CLIENT / "testing" / "types").iterdir():
        shutil.copy(path, installed)
    return installed


@pytest.mark.parametrize("settings", ["tsconfig.json", "bare.json"])
def test_the_types_fit_a_strict_program(node, typed, settings):
    """`tsc --strict` accepts what is right in a sample program and refuses what is wrong, also without the types of Node.js."""
    compiled = run(node, typed / "node_modules" / "typescript" / "bin" / "tsc", "-p", settings, cwd=typed)
    assert compiled.returncode == 0, compiled.stdout


def test_the_readmes_programs_fit_the_types(node, typed):
    """The programs in the README are right by the types of the client, of Node.js and of Electron, as printed."""
    programs = re.findall(
        r"^```js\n(.*?)^```", (CLIENT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert programs
    names = []
    for i, text in enumerate(programs):
        names.append(f"readme{i}.{'cjs' if 'require(' in text else 'mjs'}")
        (typed / names[-1]).write_text(text, encoding="utf-8")
    settings = {
        "extends": "./tsconfig.json",
        "compilerOptions": {"allowJs": True, "checkJs": True},
        "files": names,
    }
    (typed / "readme.json").write_text(json.dumps(settings), encoding="utf-8")
    compiled = run(node, typed / "node_modules" / "typescript" / "bin" / "tsc", "-p", "readme.json", cwd=typed)
    assert compiled.returncode == 0, compiled.stdout


# Archives of releases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dsu-linux-cpu.tar.gz", "dsu-win-cpu.zip"])
def test_the_archives_of_a_build_can_be_installed(node, tmp_path, name):
    """What the build packs, the client unpacks: contents, modes, second names of files, long names, any letters."""
    folder = tmp_path / "dsu"
    deep = folder / "lib" / ("n" * 120) / ("m" * 120)
    deep.mkdir(parents=True)
    (deep / "Größe.txt").write_bytes(b"x" * 100_000)
    (folder / "empty").touch()
    worker = folder / "dsu-demucs"
    worker.write_bytes(b"program")
    worker.chmod(0o755)
    (folder / "dsu-denoise").hardlink_to(worker)
    archives.pack(folder, tmp_path / name, 1_767_225_600)
    sums = archives.write_checksums(tmp_path, [tmp_path / name])
    code = f"""
        const {{ ensureRuntime }} = require({json.dumps(str(CLIENT / "lib" / "runtime"))});
        const server = require('node:http').createServer((request, response) => {{
            require('node:fs').createReadStream({json.dumps(str(tmp_path / name))}).pipe(response);
        }}).listen(0, '127.0.0.1', async () => {{
            const url = `http://127.0.0.1:${{server.address().port}}/{name}`;
            const options = {{ folder: {json.dumps(str(tmp_path / "app"))}, checksums: {json.dumps(str(sums))} }};
            console.log((await ensureRuntime({{ ...options, url }})).dir);
            server.close();
            server.closeAllConnections();
        }});
    """
    done = run(node, "-e", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    unpacked = Path(done.stdout.strip())
    facts = [
        {
            path.relative_to(root).as_posix(): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
            for path in root.rglob("*")
        }
        for root in (folder, unpacked)
    ]
    assert facts[0] == facts[1]
    if name.endswith(".tar.gz"):
        assert (unpacked / "dsu-demucs").samefile(unpacked / "dsu-denoise")


def test_the_client_knows_the_archives_of_a_release():
    """Each archive that a release has is that of a system, but for CUDA's, which come in parts."""
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    released = re.findall(r"- archive: (\S+)", workflow)
    source = (CLIENT / "lib" / "runtime" / "archives.js").read_text(encoding="utf-8")
    known = re.findall(r"^  '[\w-]+': '(\S+)',", source, re.MULTILINE)
    assert sorted(known) == sorted(name for name in released if "-cuda." not in name)
    assert len(released) == len(known) + 2


# The README -------------------------------------------------------------------------------------------------------


def test_the_readme_names_every_worker_method_option_and_error():
    """What can be given, called and go wrong is in the README."""
    text = (CLIENT / "README.md").read_text(encoding="utf-8")
    options = re.findall(r"^  (\w+):", (CLIENT / "lib" / "options.js").read_text(encoding="utf-8"), re.MULTILINE)
    options += re.findall(r"^  (\w+)\??[:(]", (CLIENT / "runtime.d.ts").read_text(encoding="utf-8"), re.MULTILINE)
    errors = re.findall(r"^  '(\w+)',", (CLIENT / "lib" / "errors.js").read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in [*options, *errors, *WORKERS, *generate_types.methods()] if f"`{name}`" not in text] == []
