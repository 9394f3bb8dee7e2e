"""What is typed after `dsu-audio-separator` means what it means to the audio-separator package."""

from pathlib import Path

import pytest

from utils.commandline.audio_separator.options import LAYOUT, models_of, parse, understand
from utils.commandline.options import new_parser
from utils.core.errors import InvalidRequest
from utils.core.package_request import DEFAULT_MODEL, PackageSeparate, common_names, label_of, tidy
from utils.core.requests import Apollo
from utils.store.package_catalogue import presets, record_of

# All options of the package's program, as it spells them.
PACKAGES = """
-h --help -v --version -d --debug -e --env_info -l --list_models --log_level --list_filter --list_limit --list_format
-m --model_filename --extra_models --output_format --output_bitrate --output_dir --model_file_dir --download_model_only
--invert_spect --normalization --amplification --single_stem --sample_rate --use_soundfile --use_autocast --use_native_fp16
--use_torch_compile --use_directml --chunk_duration --ensemble_algorithm --ensemble_weights --ensemble_preset --list_presets
--custom_output_names --mdx_segment_size --mdx_overlap --mdx_batch_size --mdx_hop_length --mdx_enable_denoise
--vr_batch_size --vr_window_size --vr_aggression --vr_enable_tta --vr_high_end_process --vr_enable_post_process
--vr_post_process_threshold --demucs_segment_size --demucs_shifts --demucs_overlap --demucs_segments_enabled
--mdxc_segment_size --mdxc_override_model_segment_size --mdxc_overlap --mdxc_batch_size --mdxc_pitch_shift
"""
# What this program has called some of them.
EARLIER = """
--model --download --models-dir -o --out --format --bitrate --mp3 --flac --stems --apollo --denoise --segment-size --overlap
--aggression --window-size --tta --high-end --post-process --post-process-threshold
"""


@pytest.fixture(autouse=True)
def without_the_package_s_folder(monkeypatch):
    monkeypatch.delenv("AUDIO_SEPARATOR_MODEL_DIR", raising=False)


def one(*words):
    return understand(parse([*words, "song.wav"]))


def test_every_option_of_the_package_is_one_here():
    """And so is what this program called some of them."""
    flags = new_parser(LAYOUT).flags
    assert {flag.replace("_", "-") for flag in PACKAGES.split()} | set(EARLIER.split()) <= flags


def test_a_plain_song_has_the_package_s_defaults():
    """Its model, FLAC at 44.1 kHz in the working directory, peaks of 0.9, its windows."""
    request = one().request
    assert request == PackageSeparate(
        model=record_of(DEFAULT_MODEL).name,
        label="model_bs_roformer_ep_317_sdr_12",
        output=".",
        format="flac",
        output_sample_rate=44100,
        ensemble_algorithm="avg_wave",
    )
    assert (request.level.lowest, request.level.highest) == (0.0, 0.9)
    assert (request.demucs_shifts, request.mdxc_segment_size, request.vr_window_size) == (2, 256, 512)


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["-m", "net.ckpt"], "model", "net.ckpt"),
        (["--model_filename=net.ckpt"], "model", "net.ckpt"),
        (["--model", "nets/net.onnx"], "label", "net"),
        (["--output_format=MP3"], "format", "mp3"),
        (["--output_format=WaV"], "format", "wav"),
        (["--format", "wav"], "format", "wav"),
        (["--mp3"], "format", "mp3"),
        (["--output_format=MP3", "--output_bitrate=192k"], "bitrate", 192),
        (["--output_format=mp3", "--output_bitrate=192000"], "bitrate", 192),
        (["--output_bitrate=192k"], "bitrate", None),
        (["--output_dir=out"], "output", "out"),
        (["-o", "out"], "output", "out"),
        (["--sample_rate=48000"], "output_sample_rate", 48000),
        (["--single_stem=Vocals"], "single_stem", "Vocals"),
        (["--single_stem="], "single_stem", None),
        (["--normalization=0.5"], "normalization", 0.5),
        (["--amplification", "0.4"], "amplification", 0.4),
        (["--invert_spect"], "invert_spect", True),
        (["--custom_output_names", '{"Vocals": "voice"}'], "custom_output_names", {"Vocals": "voice"}),
        (["--use_autocast"], "precision", "bf16"),
        (["--vr_aggression=-10"], "vr_aggression", -10),
        (["--aggression", "10"], "vr_aggression", 10),
        (["--vr_enable_tta"], "vr_enable_tta", True),
        (["--vr_enable_post_process"], "vr_post_process", True),
        (["--post-process"], "vr_post_process", True),
        (["--vr_batch_size=4"], "batch_size", 4),
        (["--mdxc_batch_size=4"], "batch_size", 4),
        (["--mdx_segment_size=512"], "mdx_segment_size", 512),
        (["--denoise"], "mdx_enable_denoise", True),
        (["--demucs_segment_size=7"], "demucs_segment_s", 7.0),
        (["--demucs_segment_size=Default"], "demucs_segment_s", None),
        (["--demucs_shifts=0"], "demucs_shifts", 0),
        (["--demucs_segments_enabled="], "demucs_split", False),
        (["--demucs_segments_enabled=False"], "demucs_split", True),  # any word means yes to the package
        (["--mdxc_overlap=4"], "mdxc_overlap", 4),
        (["--mdxc_over=4"], "mdxc_override_model_segment_size", None),
        (["--mdxc_pitch_shift=-2"], "mdxc_pitch_shift", -2),
    ],
)
def test_option_sets_its_field(words, field, value):
    """Under each of its names; of two that begin alike neither is meant."""
    if words == ["--mdxc_over=4"]:
        with pytest.raises(InvalidRequest, match=r"[Aa]mbiguous"):
            one(*words)
    else:
        assert getattr(one(*words).request, field) == value


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--mdx_overlap=a"], "--mdx-overlap: a number is needed"),
        (["--output_format=xyz"], "invalid choice"),
        (["--list_format=xml"], "invalid choice"),
        (["--custom_output_names=x"], "--custom-output-names takes JSON"),
        (["--custom_output_names=[1]"], "--custom-output-names takes names by stem"),
        (["--use_autocast", "--use_native_fp16"], "not allowed with argument"),
        (["--nonsense"], "There is no option --nonsense"),
    ],
)
def test_what_no_reading_makes_sense_of(words, part):
    """It is refused while arguments are read, as argparse would."""
    with pytest.raises(InvalidRequest) as caught:
        parse([*words, "song.wav"])
    assert part in caught.value.message


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--vr_aggression=101"], "--vr-aggression takes a whole number of at most 100"),
        (["--sample_rate=0"], "--sample-rate takes"),
        (["--mdx_segment_size=0"], "--mdx-segment-size takes"),
        (["--mdx_batch_size=0"], "--batch-size takes"),
        (["--mdx_hop_length=512"], "--mdx-hop-length must be 1024"),
        (["--demucs_segment_size=long"], "--demucs-segment-size takes a whole number of seconds or Default"),
        (["--output_bitrate=high", "--mp3"], "--output-bitrate takes a bit rate such as 320k"),
        (["--ensemble_preset=nobody"], "There is no ensemble `nobody`. --list-presets lists them."),
        (["--extra_models", "b.ckpt", "--ensemble_weights", "1", "--verbose"], "--ensemble-weights needs 2 numbers"),
        (["--addition"], "--addition needs --apollo"),
        (["--apollo", "net", "--tta"], "--vr-enable-tta is for separation, not for --apollo"),
    ],
)
def test_what_cannot_be_done(words, part):
    """It is an error that names options, never fields."""
    typed = parse(["song.wav", *words])
    with pytest.raises(InvalidRequest) as caught:
        understand(typed)
    assert part in typed.wording.of_error(caught.value.message, caught.value.hint, caught.value.field)


def test_several_models_are_an_ensemble():
    """By the names that engines know, with the beginnings of their names in those of files."""
    words = [
        "-m",
        "UVR-MDX-NET-Inst_HQ_3.onnx",
        "--extra_models",
        "bs_roformer_of_mine.ckpt",
        "--ensemble_weights",
        "1",
        "2",
    ]
    request = one(*words, "--verbose").request
    assert request.ensemble == ["UVR-MDX-NET-Inst_HQ_3.onnx", "bs_roformer_of_mine.ckpt"]
    assert models_of(request) == request.ensemble
    assert (request.model, request.ensemble_weights, request.ensemble_algorithm) == (None, [1.0, 2.0], "avg_wave")
    assert request.label == "custom_ensemble_Inst_HQ_3_of_mine"


@pytest.mark.parametrize("name", presets())
def test_an_ensemble_with_a_name(name):
    """Its members and its way to combine them; every member is a model that DSU knows."""
    preset = presets()[name]
    request = one(f"--ensemble_preset={name}").request
    assert request.ensemble == [record_of(model).name for model in preset.models]
    assert (request.ensemble_algorithm, request.label) == (preset.algorithm, f"preset_{name}")
    assert one(f"--ensemble_preset={name}", "--ensemble_algorithm=min_wave").request.ensemble_algorithm == "min_wave"
    assert one(f"--ensemble_preset={name}", "-m", "own.ckpt").request.model == "own.ckpt"


def test_models_may_lie_in_one_folder(tmp_path):
    """A file of the user's own there is found, whatever DSU calls the folders of its kinds."""
    (tmp_path / "mine.pth").touch()
    options = one("-m", "mine.pth", "--model_file_dir", str(tmp_path))
    assert (options.request.model, options.request.label) == (str(tmp_path / "mine.pth"), "mine")
    assert options.settings["models_dir"] == str(tmp_path)


def test_a_variable_names_the_folder_of_models(monkeypatch, tmp_path):
    """It counts more than the option, as it does for the package."""
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", str(tmp_path))
    assert one("--model_file_dir=elsewhere").settings["models_dir"] == str(tmp_path)


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        (["--apollo", "net"], Apollo(model="net", output_dir=".", format="flac")),
        (["--apollo", "net.ckpt", "-o", "out", "--format=wav"], Apollo(model_path="net.ckpt", output_dir="out")),
        (
            ["--apollo", "net", "--chunk-seconds", "5"],
            Apollo(model="net", output_dir=".", format="flac", chunk_seconds=5.0),
        ),
    ],
)
def test_apollo_restores_into_a_folder(words, request_):
    """A name is one of the models, a file a checkpoint."""
    assert one(*words).request == request_


# Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a/b:c", "a_b_c"), ("__a__b__", "a_b"), ("Song. ", "Song"), ("a (1)", "a (1)"), ('"<>|?*', "")],
)
def test_names_are_tidied_as_the_package_does(text, expected):
    """Without what file systems forbid, and without runs of underscores."""
    assert tidy(text) == expected


def test_files_are_called_after_track_stem_and_model():
    """Or as a name for the stem says, whatever its case; braces are no fields."""
    request = PackageSeparate(label="net_1", custom_output_names={"vocals": "my {voice}"})
    assert request.template_of("Other") == "{track}_(Other)_net_1"
    assert request.template_of("Vocals") == "my {{voice}}"
    assert request.track_name("a__b?") == "a_b"


@pytest.mark.parametrize(
    ("stems", "expected"),
    [
        (["vocals", "other"], ["Vocals", "Instrumental"]),
        (["drums", "bass", "other", "vocals"], ["Drums", "Bass", "Other", "Vocals"]),
        (["Vocals", "Instrumental"], ["Vocals", "Instrumental"]),
        (["Lead Vocals", "Backing Vocals"], ["Lead Vocals", "Backing Vocals"]),
        (["karaoke", "other"], ["Instrumental", "Other"]),
    ],
)
def test_stems_of_different_models_find_each_other(stems, expected):
    """What is no voice is the instrumental where there is nothing else."""
    assert list(common_names(stems).values()) == expected


def test_labels():
    """A model's file up to the first dot; of several the beginnings, or the ensemble's name."""
    assert label_of(["model_bs_roformer_ep_317_sdr_12.9755.ckpt"], None) == "model_bs_roformer_ep_317_sdr_12"
    assert label_of([str(Path("nets", "mine.pth"))], "karaoke") == "mine"
    assert label_of(["UVR_MDXNET_KARA_2.onnx", "htdemucs_ft.yaml"], None) == "custom_ensemble_KARA_2_htdemucs_ft"
    assert label_of(["a", "b"], "karaoke") == "preset_karaoke"


@pytest.mark.parametrize(
    ("subtype", "audio_format", "expected"),
    [
        ("PCM_16", "flac", "PCM_16"),
        ("PCM_24", "flac", "PCM_24"),
        ("PCM_24", "wav", "PCM_24"),
        ("FLOAT", "wav", "PCM_32"),
        ("FLOAT", "flac", "PCM_24"),
        ("MPEG_LAYER_III", "wav", "PCM_16"),
    ],
)
def test_files_are_as_deep_as_the_song(subtype, audio_format, expected):
    """As far as their format can be."""
    assert PackageSeparate(format=audio_format).sample_type_for(subtype) == expected
