"""The rows of the benchmark beside other programs, and a whole run with a tiny network."""

import json

import pytest
import soundfile
import torch
from torch import nn

from benchmarks.peers import __main__ as bench
from benchmarks.peers import forward, rows, workers
from benchmarks.peers.models import PublicModels, chunk_samples, mdx_network, network_config
from benchmarks.peers.programs import OURS, OURS_FP32, Contest
from benchmarks.peers.rows import ROWS, Comparison, Place
from tools.fixtures.networks import write_network
from utils.engine.backends.torch import TorchBackend, for_inference


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "peers_python", lambda: "peers-python")
    return Place(PublicModels(tmp_path / "models"), tmp_path, 1.0)


def words_of(contest, name, place):
    return [str(word) for word in contest.programs[name](place.folder / "out")]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_has_ours_in_each_contest(place, name):
    """Each contest says what its settings are, and its songs exist when it starts."""
    for contest in ROWS[name].contests(place):
        assert OURS in contest.programs
        assert contest.settings
        for program in contest.programs:
            words = words_of(contest, program, place)
            assert any("song" in word and place.folder.joinpath(word).exists() for word in words), words


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.forward])
def test_every_row_whose_network_is_timed_has_one(name):
    """The process that times bare networks knows it by the name of the row."""
    assert name in forward.BARE


def test_pymss_is_given_the_windows_of_ours(place):
    """Its defaults cover each sample as often as the configuration says, ours cross-fade over a tenth."""
    theirs, ours, *_ = rows.network("scnet")(place)
    samples = network_config("scnet", place.seconds)["audio"]["chunk_size"]
    assert words_of(theirs, OURS, place)[-4:-3] == ["4"]
    assert not [word for word in words_of(theirs, "pymss", place) if word.startswith("overlap")]
    assert f"overlap_size={samples // 10}" in words_of(ours, "pymss", place)
    assert "--overlap" not in words_of(ours, OURS, place)


def test_programs_with_one_command_line_get_the_same_words(place):
    """demucs, demucs-infer and ours; audio-separator and ours."""
    demucs = ROWS["htdemucs"].contests(place)[0]
    given = [words_of(demucs, name, place) for name in (OURS, "demucs", "demucs-infer")]
    assert len({tuple(words[words.index("-o") :]) for words in given}) == 1
    mdx = ROWS["mdx"].contests(place)[0]
    given = [words_of(mdx, name, place) for name in (OURS, "audio-separator")]
    assert len({tuple(words[words.index("mdx.onnx") :]) for words in given}) == 1


def test_songs_have_their_length_and_level(place):
    """Loud ones reach full scale in 16 bits, quiet ones are floats."""
    loud, quiet = place.song(loud=True), place.song(0.5)
    assert soundfile.info(loud).subtype == "PCM_16"
    assert abs(soundfile.read(loud)[0]).max() > 0.99
    assert soundfile.info(quiet).frames == 22050
    assert abs(soundfile.read(quiet)[0]).max() < 0.2
    assert len(list(place.songs(3, 0.1).iterdir())) == 3


def test_chunks_suit_their_networks():
    """At most as long as the configuration's, and in numbers of frames that a network can halve."""
    assert network_config("scnet", 1000)["audio"]["chunk_size"] == 485100
    assert network_config("scnet", 1.5)["audio"]["chunk_size"] == 66150
    for seconds in (0.1, 1.5, 1000):
        config = network_config("mdx23c", seconds)
        assert (chunk_samples(config, seconds) // 1024 + 1) % 32 == 0


def test_mdx_networks_keep_the_level():
    """Spectra in, spectra of the same size and about the same level out."""
    spectra = torch.randn(1, 4, 64, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        output = mdx_network(bins=64, width=4, depth=3)(spectra)
    assert output.shape == spectra.shape
    assert 0.3 < output.std() / spectra.std() < 3


# Bare networks --------------------------------------------------------------------------------------------------------


def toy(gain=1.0):
    torch.manual_seed(0)
    net = for_inference(nn.Linear(64, 64))
    net.weight.data.mul_(gain)
    return net


def test_networks_are_loaded_compared_and_timed_in_turns():
    """A twin agrees exactly, a louder one does not; the products are counted once."""
    bare = forward.Bare(
        [torch.randn(10, 64, generator=torch.Generator().manual_seed(1))],
        lambda: TorchBackend(toy()),
        {"twin": toy, "louder": lambda: toy(2.0)},
        seconds=0.5,
    )
    measured = forward.measure(bare, rounds=2, half="bf16")
    assert {name: len(runs) for name, runs in measured["runs_s"].items()} == {
        OURS_FP32: 2, OURS: 2, "twin": 2, "louder": 2,
    }  # fmt: skip
    assert measured["load_s"].keys() == {OURS, "twin", "louder"}
    assert measured["agreement_db"]["twin"][OURS_FP32] == 200
    assert 35 < measured["agreement_db"][OURS][OURS_FP32] < 80
    assert measured["agreement_db"]["louder"][OURS_FP32] < 10
    assert measured["flops"] == 2 * 10 * 64 * 64
    assert measured["products_s"].keys() == {OURS_FP32, OURS}
    json.dumps(measured)


def test_agreement_takes_other_shapes():
    """Implementations may leave out the axis of a single stem, and the samples after the last whole hop."""
    ours = torch.randn(1, 1, 2, 100, generator=torch.Generator().manual_seed(0))
    assert forward.agreement_db(ours[:, 0, :, :90], ours) == 200
    assert forward.agreement_db(1.01 * ours[:, 0, :, :90], ours) == pytest.approx(40, abs=0.1)


# A run ----------------------------------------------------------------------------------------------------------------


def test_what_is_left_is_judged_by_what_is_done():
    """A machine that takes twice as long as expected has twice the rest before it."""
    clock, said = [0.0], []
    steps = [bench.Task(name, 60.0, lambda: clock.__setitem__(0, clock[0] + 120)) for name in ("a", "b", "c")]
    bench.run_steps(steps, said.append, lambda: clock[0])
    assert said == [
        "[1/3] a, about 3 min left",
        "[2/3] b, about 4 min left",
        "[3/3] c, about 2 min left",
        "Measured in 6 min.",
    ]


def test_a_row_that_fails_does_not_end_the_run():
    """It is named, with the reason, and the rest is measured."""

    def fail():
        raise ValueError("no such network")

    done, said = [], []
    steps = [bench.Task("a", 1.0, fail), bench.Task("b", 1.0, lambda: done.append("b"))]
    assert bench.run_steps(steps, said.append) == {"a": "ValueError: no such network"}
    assert done == ["b"]
    assert "a failed: ValueError: no such network" in said


def test_a_whole_run_takes_about_as_long_as_it_says():
    """Not much more than 40 minutes on two quiet cores."""
    assert sum(row.cost_s for row in ROWS.values()) + sum(bench.LIVES.values()) < 45 * 60


def test_unknown_rows_are_refused(capsys):
    """With those that there are, before anything is made."""
    with pytest.raises(SystemExit):
        bench.main(["--rows", "htdemucs", "nothing"])
    assert "mel_band_roformer" in capsys.readouterr().err


@pytest.fixture
def tiny(monkeypatch):
    """A row with a tiny network and no other programs."""

    def make(models, seconds):
        write_network(models.networks, "scnet", chunk_seconds=seconds)

    def contests(place):
        return [
            Contest("defaults", place.seconds, {OURS: rows.pymss_programs(place.models, "scnet", place.song())[OURS]})
        ]

    monkeypatch.setattr(bench, "ROWS", {"tiny": Comparison("Tiny", 0.5, 1.0, make, contests, forward=False)})
    monkeypatch.setattr(bench, "versions", lambda: "none 1.0")
    monkeypatch.setattr(bench, "peers_packages", lambda: None)
    monkeypatch.setattr(rows, "peers_python", lambda: "")
    monkeypatch.setattr(bench, "path_with_ffmpeg", lambda _: "")


@pytest.mark.e2e
def test_a_row_is_measured_from_file_to_files(tiny, tmp_path, capsys, monkeypatch):
    """With the time and memory of the program in both precisions; the rest of the run is left out, and no file is written."""
    monkeypatch.setattr(bench, "fastest_precision", lambda _: "bf16")
    assert bench.main(["--rows", "tiny", "--rounds", "1", "--folder", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert "| Tiny | defaults | 0.5 | DSU fp32 |" in out
    assert "| DSU |" in out
    assert "failed" not in out.partition("### Whole programs")[2].partition("audio-separator")[0]
    assert err.startswith("[1/1] tiny")


def test_a_whole_run_writes_figures_section_and_charts(tmp_path, monkeypatch):
    """All from what was measured."""
    monkeypatch.setattr(bench, "JSON", tmp_path / "peers.json")
    monkeypatch.setattr(bench, "IMAGES", tmp_path)
    sections = {}
    monkeypatch.setattr(bench, "write_section", sections.__setitem__)
    measured = {"precision": "fp32", "threads": 2, "rounds": 2, "versions": "", "rows": {}}
    bench.write(measured)
    assert json.loads((tmp_path / "peers.json").read_text()) == measured
    assert sections.keys() == {bench.SECTION}
    assert {path.name for path in tmp_path.iterdir()} == {"peers.json", "peers-programs.svg", "peers-networks.svg"}


@pytest.mark.e2e
def test_jobs_of_a_worker_are_timed_with_and_without_loading(tmp_path, monkeypatch):
    """Cold and switching load a model, cached does not; a worker that keeps one model loads the first one again."""
    models = PublicModels(tmp_path)
    for kind in (workers.FIRST, workers.SECOND, workers.RESTORER):
        write_network(models.networks, kind, chunk_seconds=0.5)
    monkeypatch.setattr(workers, "IDLE", ("demucs",))
    source = Place(models, tmp_path, 0.5).song()
    both, last = workers.switching(models, source, tmp_path / "out").values()
    assert [each.loads for each in both] == [True, False, True, False]
    assert [each.loads for each in last] == [True, False, True, True]
    found = workers.configurations(models, source, tmp_path / "out")
    assert [each.loads for each in found["one worker"][:4]] == [True, False, True, True]
    assert all(each.loads for each in (*found["one worker, cache off"], *found["a worker for each job"]))
    assert len(found["one worker, three others idle"]) == 5
    assert all(each.total_s >= each.processing_s > 0 for operations in found.values() for each in operations)
