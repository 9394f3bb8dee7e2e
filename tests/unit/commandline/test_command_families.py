"""What is typed after `dsu separate` for a VR or MDX model becomes a request, or a sentence about what is wrong with it."""

import pytest

from utils.commandline.audio_separator.families import FAMILY, OPTIONS_OF
from utils.core.errors import InvalidRequest
from utils.core.requests import AudioSeparatorSeparate

VR = ["-m", "net.pth"]
MDX = ["-m", "net.onnx"]


def one(*words):
    return FAMILY.parse([*words, "song.wav"])


@pytest.mark.parametrize("model", [VR, MDX, ["-m", "net"]])
def test_plain_song_leaves_the_numbers_to_the_request(model):
    """With a model alone, everything is what it is for programs that send nothing else."""
    assert one(*model).request == AudioSeparatorSeparate(model=model[1], output="separated")


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (VR, "model", "net.pth"),
        (["--model", "nets/net.onnx"], "model", "nets/net.onnx"),
        ([*VR, "--model-file-dir", "nets"], "model_file_dir", "nets"),
        ([*VR, "--single-stem", "Vocals"], "single_stem", "Vocals"),
        ([*VR, "--stems", "Vocals"], "stems", ["Vocals"]),
        ([*VR, "--aggression", "10"], "vr_aggression", 10),
        ([*VR, "--aggression", "-10"], "vr_aggression", -10),
        ([*VR, "--tta"], "vr_enable_tta", True),
        ([*VR, "--high-end"], "vr_high_end_process", True),
        ([*VR, "--post-process"], "vr_post_process", True),
        ([*VR, "--post-process", "--post-process-threshold", "0.1"], "vr_post_process_threshold", 0.1),
        ([*VR, "--window-size", "320"], "vr_window_size", 320),
        ([*MDX, "--segment-size", "512"], "mdx_segment_size", 512),
        ([*MDX, "--overlap", "0.5"], "mdx_overlap", 0.5),
        ([*MDX, "--denoise"], "mdx_enable_denoise", True),
        ([*MDX, "--invert-spect"], "invert_spect", True),
        ([*MDX, "--name-template", "{model}/{track} {stem}"], "name_template", "{model}/{track} {stem}"),
    ],
)
def test_option_sets_its_field(words, field, value):
    """Each option ends up in the request's field of the same meaning."""
    assert getattr(one(*words).request, field) == value


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "--model"),
        (["-m", ""], "--model"),
        ([*VR, "--aggression", "101"], "--aggression takes a whole number of at most 100"),
        ([*VR, "--aggression", "-101"], "--aggression takes a whole number of at least -100"),
        ([*VR, "--aggression", "0.5"], "--aggression: a whole number is needed"),
        ([*VR, "--window-size", "16"], "--window-size takes a whole number of at least 32"),
        ([*VR, "--post-process-threshold", "0.1"], "--post-process-threshold needs --post-process"),
        (
            [*VR, "--post-process", "--post-process-threshold", "2"],
            "--post-process-threshold takes a number of at most",
        ),
        ([*MDX, "--segment-size", "0"], "--segment-size takes a whole number of at least 1"),
        ([*MDX, "--overlap", "1"], "--overlap takes a number below 1"),
        ([*MDX, "--overlap", "-0.5"], "--overlap takes a number of at least 0"),
        ([*VR, "--overlap", "0.5"], "--overlap is for MDX models; net.pth is not one."),
        ([*MDX, "--tta"], "--tta is for VR models; net.onnx is not one."),
        (["-m", "net", "--model-file-dir", "nets"], "--model-file-dir needs a file of the type .pth or .onnx"),
        (["-m", "net", "--tta"], "--tta is for VR models; net is not one."),
        (["-m", "net", "--denoise"], "--denoise is for MDX models; net is not one."),
        ([*VR, "--single-stem", "a", "--stems", "b"], "--stems: not allowed with argument --single-stem"),
        ([*VR, "--single-stem", "a", "--two-stems", "b"], "--two-stems: not allowed with argument --single-stem"),
        ([*VR, "--name-template", "{track}/{stem}.{ext}"], "--name-template has an unknown field {ext}"),
        ([*VR, "--name-template", "{track}/{stem}.flac", "--flac"], "takes no extension; .flac is added"),
        ([*VR, "--shifts", "2"], "There is no option --shifts"),
    ],
)
def test_what_makes_no_sense_is_refused(words, part):
    """A wrong option, or one that the model has no use for, is an error that names options, never fields."""
    with pytest.raises(InvalidRequest) as caught:
        one(*words)
    assert part in caught.value.message


def test_every_option_of_one_kind_is_refused_for_the_other():
    """Fields of VR and MDX models are all known as such, so that none is accepted and ignored."""
    fields = {
        field
        for field in AudioSeparatorSeparate.__struct_fields__
        if field.startswith(("vr_", "mdx_", "invert", "bigshifts"))
    }
    settable = {field for field in fields if one(*VR).wording.option(field).startswith("--")}
    assert {field for of_kind in OPTIONS_OF.values() for field in of_kind} == settable


def test_without_a_model_the_error_says_how_to_list_them():
    """There is no default model; listing needs none."""
    with pytest.raises(InvalidRequest) as caught:
        one()
    assert "--list-models" in caught.value.hint
    assert FAMILY.parse(["--list-models", "--tta"]).request.model is None
