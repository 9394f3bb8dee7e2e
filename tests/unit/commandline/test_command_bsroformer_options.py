"""What is typed after `dsu-bsroformer` becomes a request, or a sentence about what is wrong with it."""

import pytest

from utils.commandline.bsroformer import PROGRAM
from utils.core.errors import InvalidRequest

OWN = ["--model-path", "net.ckpt", "--config-path", "net.yaml"]
PAIR = ["--ensemble", "one, two"]


def one(*words):
    return PROGRAM.parse([*words, "song.wav"])


def test_plain_song_leaves_the_numbers_to_the_engine():
    """With a model alone, presets, overlap and length of windows are not in the request."""
    request = one("-m", "net").request
    assert (request.model, request.quality, request.overlap, request.chunk_seconds) == ("net", None, None, None)
    assert (request.use_tta, request.extract_instrumental, request.ensemble) == (None, False, None)


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["-m", "net"], "model", "net"),
        (["--model", "net"], "model", "net"),
        (OWN, "model_path", "net.ckpt"),
        (OWN, "config_path", "net.yaml"),
        ([*OWN, "--model-type", "scnet"], "model_type", "scnet"),
        (PAIR, "ensemble", ["one", "two"]),
        ([*PAIR, "--ensemble-type", "max_fft"], "ensemble_type", "max_fft"),
        ([*PAIR, "--ensemble-weights", "1,0.5"], "ensemble_weights", [1.0, 0.5]),
        (["-m", "net", "--quality", "best"], "quality", "best"),
        (["-m", "net", "--overlap", "4"], "overlap", 4),
        (["-m", "net", "--chunk-seconds", "11.5"], "chunk_seconds", 11.5),
        (["-m", "net", "--tta"], "use_tta", True),
        (["-m", "net", "--extract-instrumental"], "extract_instrumental", True),
        (["-m", "net", "--name-template", "{model}/{track} {stem}"], "name_template", "{model}/{track} {stem}"),
    ],
)
def test_option_sets_its_field(words, field, value):
    """Each option ends up in the request's field of the same meaning."""
    assert getattr(one(*words).request, field) == value


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--download"], "--model"),
        (["-m", "", "--download"], "--model"),
        (["-m", "net", *OWN], "either --model or --model-path with --config-path"),
        (["-m", "net", *PAIR], "either --ensemble or --model"),
        (["--model-path", "net.ckpt"], "--model-path needs the network's YAML configuration in --config-path"),
        (["-m", "net", "--config-path", "net.yaml"], "--config-path is only for your own network"),
        (["-m", "net", "--model-type", "scnet"], "--model-type is only for your own network"),
        (["-m", "net", "--ensemble-weights", "1,2"], "--ensemble-weights needs an --ensemble"),
        (["-m", "net", "--ensemble-type", "avg_wave"], "--ensemble-type needs --ensemble"),
        (["--ensemble", "one"], "--ensemble takes a list of at least 2"),
        (["--ensemble", ",".join("abcdefghijklmnopq")], "--ensemble takes a list of at most 16"),
        ([*PAIR, "--ensemble-type", "mean"], "--ensemble-type: invalid choice"),
        ([*PAIR, "--ensemble-weights", "1"], "--ensemble-weights must have 2 numbers"),
        ([*PAIR, "--ensemble-weights", "1,-1"], "--ensemble-weights takes a number of at least 0"),
        ([*PAIR, "--ensemble-weights", "1,b"], "--ensemble-weights: a number is needed"),
        ([*PAIR, "--ensemble-weights", "1,2", "--ensemble-type", "max_wave"], "`max_wave` has no weights"),
        ([*OWN, "--download"], "--download is for public models"),
        (["-m", "net", "--overlap", "0"], "--overlap takes a whole number of at least 1"),
        (["-m", "net", "--overlap", "0.5"], "--overlap: a whole number is needed"),
        (["-m", "net", "--chunk-seconds", "0"], "--chunk-seconds takes a number of at least 0.1"),
        (["-m", "net", "--quality", "great"], "--quality: invalid choice"),
        (["-m", "net", "--name-template", "{track}/{stem}.{ext}"], "--name-template has an unknown field {ext}"),
        (["-m", "net", "--name-template", "{track}/{stem}.wav"], "takes no extension"),
        (["-m", "net", "--shifts", "2"], "There is no option --shifts"),
    ],
)
def test_what_makes_no_sense_is_refused(words, part):
    """A wrong option, or one that contradicts another, is an error that names options, never fields."""
    with pytest.raises(InvalidRequest) as caught:
        one(*words)
    assert part in caught.value.message


def test_a_model_need_not_be_named():
    """Then none is asked for; a download without a name says how to list them."""
    assert one().request.model is None
    assert PROGRAM.parse(["--list-models"]).request.model is None
    with pytest.raises(InvalidRequest) as caught:
        one("--download")
    assert "--list-models" in caught.value.hint
