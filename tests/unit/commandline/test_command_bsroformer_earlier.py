"""The command line of the first dsu-bsroformer, as its users still type it."""

import pytest

from utils.commandline.bsroformer import PROGRAM
from utils.core.errors import InvalidRequest


def parse(text):
    return PROGRAM.parse(text.split())


def test_an_ensemble_as_its_readme_had_it():
    """Every word of it is understood, and the input is a song."""
    options = parse(
        "--models-dir Models/bsroformer --ensemble bsroformer_4stem,scnet_xl_ihf --ensemble-type avg_wave "
        "--input_folder song.wav --store_dir output_ensemble_test --overlap 2 --batch-size 1 --fast"
    )
    request = options.request
    assert options.tracks == ("song.wav",)
    assert options.settings == {"models_dir": "Models/bsroformer"}
    assert (request.ensemble, request.folder) == (["bsroformer_4stem", "scnet_xl_ihf"], "output_ensemble_test")
    assert (request.overlap, request.batch_size) == (2, 1)


def test_files_of_a_network_as_the_training_scripts_name_them():
    """The checkpoint to start from is the network's."""
    request = parse("--model_type scnet --config_path net.yaml --start_check_point net.ckpt -i song.wav").request
    assert (request.model_type, request.config_path, request.model_path) == ("scnet", "net.yaml", "net.ckpt")


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("--extract_instrumental", "extract_instrumental", True),
        ("--use_tta", "use_tta", True),
        ("--flac_file", "format", "flac"),
        ("--pcm_type FLOAT", "pcm_type", "FLOAT"),
        ("--precision high", "precision", "fp32"),
        ("--precision medium", "precision", "auto"),
        ("--precision bf16", "precision", "bf16"),
        ("--filename_template {file_name}/x_{instr}", "name_template", "{track}/x_{stem}"),
        ("-o out", "output", "out"),
    ],
)
def test_other_words(words, field, value):
    """Each means what it meant."""
    assert getattr(parse(f"-m net -i song.wav {words}").request, field) == value


def test_the_processor_can_be_forced():
    """It is a device."""
    assert parse("-m net -i song.wav --force_cpu").settings == {"device": "cpu"}


@pytest.mark.parametrize(
    "words", ["--lora_checkpoint_peft x", "--draw_spectro 10", "--device_ids 0", "--init-registry"]
)
def test_what_is_gone_is_refused_with_the_reason(words):
    """The error says what to do instead."""
    with pytest.raises(InvalidRequest, match="is not supported: "):
        parse(f"-m net -i song.wav {words}")


def test_the_help_has_one_spelling_for_each_option(capsys):
    """The earlier ones are understood, not recommended."""
    with pytest.raises(SystemExit):
        parse("--help")
    shown = capsys.readouterr().out
    assert "--model-path" in shown
    assert "--start-check-point" not in shown
    assert "--fast" not in shown
