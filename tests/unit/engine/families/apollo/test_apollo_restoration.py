"""Apollo restoration: sizes, the seamless sum of chunks, channels, rates, files."""

import numpy as np
import pytest
import soundfile
import torch
from demucs_case import write_song

from models.apollo import ApolloNetworkParams
from tools.fixtures.networks import write_network
from utils.core.errors import CheckpointInvalid, CheckpointMismatch, ConfigInvalid, InvalidRequest, UnsupportedFormat
from utils.core.job import Job
from utils.core.replies import Restoring
from utils.core.requests import Apollo
from utils.core.settings import Settings
from utils.engine.families.apollo.model import ApolloFiles, Sizes, load_apollo
from utils.engine.programs import make_engine

pytestmark = pytest.mark.slow

RATE = 44100


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("apollo"), "apollo")


@pytest.fixture(scope="module")
def model(files):
    return load(files)


def load(files, **config):
    source = ApolloFiles(files.checkpoint, config.get("config", files.config))
    return load_apollo(source, source.checkpoint, source.config, mapped=True, allow_unsafe=False)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = make_engine("dsu-audio-separator", Settings(models_dir=tmp_path_factory.mktemp("m"), device="cpu"))
    engine.start()
    return engine


@pytest.fixture
def restore(engine, files):
    """Restores a file; returns the reply and the written samples."""

    def restore(source, target, job=None, **fields):
        fields = {"input": str(source), "output": target and str(target), "pcm_type": "FLOAT", "clip": "none", **fields}
        paths = {"model_path": str(files.checkpoint), "config_path": str(files.config)}
        done = engine.separate(Apollo(**fields, **paths), job or Job())
        return done, {name: read(path) for name, path in done.paths.items()}

    return restore


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def whole(model, source):
    """One pass of the network over the whole file."""
    with torch.inference_mode():
        return model.backend(torch.from_numpy(read(source))[None])[0, 0].numpy()


def agreement_db(one, other):
    return 10 * np.log10(np.sum(one**2) / max(np.sum((one - other) ** 2), 1e-20))


# Sizes ----------------------------------------------------------------------------------------------------------------


def test_sizes_come_from_the_checkpoint(files):
    """Sizes are found without a configuration or request fields, and agree with correct ones."""
    tiny = ApolloNetworkParams.tiny()
    held = Sizes(tiny.feature_dim, tiny.layer)
    assert load(files, config=None).sizes == held
    assert load(files).sizes == held
    load(files).require(held.feature_dim, held.layer)


@pytest.mark.parametrize("wrong", [{"feature_dim": 384}, {"layer": 6}, {"feature_dim": 256, "layer": 8}])
def test_wrong_sizes_are_a_mismatch_that_states_the_right_ones(files, wrong):
    """The error states the sizes in the checkpoint."""
    with pytest.raises(CheckpointMismatch, match="holds a network with feature_dim 16 and layer 1"):
        load(files).require(**{"feature_dim": None, "layer": None, **wrong})


def test_a_configuration_of_another_network_is_a_mismatch(files, tmp_path):
    """The error names the configuration."""
    other = tmp_path / "other.yaml"
    other.write_text(files.config.read_text().replace("layer: 1", "layer: 6"))
    with pytest.raises(CheckpointMismatch, match=r"`other\.yaml` has feature_dim 16 and layer 6"):
        load(files, config=other)
    other.write_text(files.config.read_text().replace("layer: 1", "layer: many"))
    with pytest.raises(ConfigInvalid, match=r"`other\.yaml`"):
        load(files, config=other)


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    """The error says what is missing."""
    with pytest.raises(CheckpointInvalid, match="does not hold an Apollo network"):
        load(write_network(tmp_path, "mdx23c"), config=None)


# Sound ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.003, 0.3, 2.0, 3.1234])
@pytest.mark.parametrize(("chunk_s", "overlap_s"), [(0.5, 0.1), (0.7, 0.0), (30.0, 0.5), (0.2, 5.0)])
def test_chunks_sum_up_to_one_pass_over_the_whole(restore, model, tmp_path, seconds, chunk_s, overlap_s):
    """The sum equals one pass to 80 dB or better from the first sample to the last, for any chunks and overlaps."""
    write_song(tmp_path / "song.wav", seconds)
    _, written = restore(tmp_path / "song.wav", tmp_path / "out.wav", chunk_seconds=chunk_s, chunk_overlap=overlap_s)
    expected = whole(model, tmp_path / "song.wav")
    assert written["restored"].shape == expected.shape
    assert agreement_db(expected, written["restored"]) > 80


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_every_channel_is_restored_by_itself(restore, model, tmp_path, channels):
    """The result has as many channels as the song, each restored independently."""
    write_song(tmp_path / "song.wav", 1.0, channels=channels)
    _, written = restore(tmp_path / "song.wav", tmp_path / "out.wav", chunk_seconds=0.4)
    assert agreement_db(whole(model, tmp_path / "song.wav"), written["restored"]) > 80


def test_more_channels_than_a_format_has_become_stereo(restore, tmp_path):
    """A song with more channels than the format can hold becomes stereo instead of failing."""
    write_song(tmp_path / "song.wav", 0.5, channels=6)
    done, written = restore(tmp_path / "song.wav", tmp_path / "out.ogg")
    assert written["restored"].shape[0] == 2
    assert done.paths["restored"].endswith("out.ogg")


def test_any_rate_comes_back_at_the_networks_or_the_sources(restore, tmp_path):
    """The result has 44.1 kHz, or the source's rate on request, and the song's length."""
    write_song(tmp_path / "song.wav", 1.0, rate=48000)
    _, written = restore(tmp_path / "song.wav", tmp_path / "out.wav")
    assert written["restored"].shape == (2, RATE)
    done, written = restore(tmp_path / "song.wav", tmp_path / "out.wav", output_sample_rate="source")
    assert (written["restored"].shape, done.sample_rate) == ((2, 48000), 48000)


def test_the_addition_is_what_the_restoration_added(restore, tmp_path):
    """The addition is the restored song minus the song, in a file next to it."""
    write_song(tmp_path / "song.wav", 1.0)
    _, written = restore(tmp_path / "song.wav", tmp_path / "out.wav", addition=True)
    np.testing.assert_allclose(written["addition"], written["restored"] - read(tmp_path / "song.wav"), atol=1e-6)
    assert (tmp_path / "out_addition.wav").is_file()


# Files ----------------------------------------------------------------------------------------------------------------


def test_the_file_is_the_one_that_was_named(restore, tmp_path):
    """The extension sets the format; `restoring` is announced."""
    write_song(tmp_path / "song.wav", 0.3)
    events = []
    done, _ = restore(tmp_path / "song.wav", tmp_path / "new" / "a {b}: c.flac", Job(events.append), pcm_type="PCM_16")
    assert done.paths["restored"] == str(tmp_path / "new" / "a {b}: c.flac")
    assert isinstance(events[0], Restoring)
    assert soundfile.info(done.paths["restored"]).format == "FLAC"


def test_a_directory_gets_a_file_named_after_the_song(restore, tmp_path):
    """In a directory, the file is `TRACK_(restored).wav`."""
    write_song(tmp_path / "song.wav", 0.3)
    done, _ = restore(tmp_path / "song.wav", None, output_dir=str(tmp_path / "out"))
    assert done.files == [str(tmp_path / "out" / "song_(restored).wav")]


@pytest.mark.parametrize("name", ["out.xyz", "out", "out.txt"])
def test_an_extension_of_no_format_is_refused(name):
    """The error lists the formats that can be written."""
    with pytest.raises(UnsupportedFormat, match="names no format") as caught:
        _ = Apollo(input="a.wav", output=name).audio_format
    assert ".flac" in caught.value.hint


def test_there_is_one_place_to_write_to():
    """Either an output file or a directory."""
    with pytest.raises(InvalidRequest):
        _ = Apollo(input="x", output="a.wav", output_dir="b").folder
