"""ResUNet30, the separator of AudioSep, against reference data, and what the engine may expect of it."""

import golden
import pytest
import torch
from audiosep_case import CASES, FULL_SIZE, golden_forward, golden_shapes, golden_state
from networks import agreement_db, music, noise, run, scrambled, with_unit_gain

from models.audiosep.resunet import ResidualBlock, ResUNet30, ResUNet30Params, affine_of, mask_of
from utils.device import computing
from utils.engine.backends.torch import copied

CONFIG = {
    "data": {"sampling_rate": 32000, "segment_seconds": 5},
    "model": {"query_net": "CLAP", "condition_size": 512, "model_type": "ResUNet30", "input_channels": 1},
}
SAMPLES = 8000


def tiny():
    """A tiny network, with the same weights each time."""
    torch.manual_seed(1)
    return scrambled(ResUNet30(ResUNet30Params.tiny()))


def conditions(count):
    return torch.nn.functional.normalize(10 * noise(count, 16), dim=-1)


@pytest.mark.parametrize("name", CASES)
def test_golden_forward(name):
    """The reference weights give the reference output."""
    net = ResUNet30(ResUNet30Params.from_config(golden.read_config(golden.FOLDER / name / "config.yaml"))).eval()
    net.load_state_dict(golden_state(name))
    chunk, condition, output = golden_forward(name)
    assert golden.largest_difference(run(net, chunk, condition=condition), output) <= golden.TOLERANCE


@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_keys_and_shapes(name):
    """A network built from the public configuration has exactly the public checkpoint's tensors."""
    with torch.device("meta"):
        net = ResUNet30(ResUNet30Params.from_config(CONFIG))
    assert golden.shapes(net) == golden_shapes(name)


def test_several_conditions_give_what_each_gives_alone():
    """What one query gives does not depend on the others, and they come out in their order."""
    net, mix, asked = tiny(), noise(2, 1, SAMPLES), conditions(3)
    together = run(net.separate, mix, conditions=asked)
    assert together.shape == (2, 3, SAMPLES)
    for index in range(3):
        torch.testing.assert_close(
            together[:, index : index + 1], run(net, mix, condition=asked[index : index + 1]), atol=0, rtol=0
        )


def test_conditions_can_be_worked_out_beforehand():
    """`separate` takes what `film` made of the conditions, all or some of it."""
    net, mix, asked = tiny(), noise(1, 1, SAMPLES), conditions(2)
    shifts = run(net.film, asked)
    whole = run(net.separate, mix, conditions=asked)
    torch.testing.assert_close(run(net.separate, mix, conditions=shifts), whole, atol=0, rtol=0)
    torch.testing.assert_close(run(net.separate, mix, conditions=shifts[1:]), whole[:, 1:], atol=0, rtol=0)


def test_the_condition_decides_what_comes_out():
    """Another condition is another stem, and so is one that changes any norm by itself."""
    net, mix = tiny(), noise(1, 1, SAMPLES)
    first, second = run(net.separate, mix, conditions=conditions(2))[0]
    assert agreement_db(second, first) < 20
    shifts = run(net.film, conditions(1))[0]
    unused = {name for name in shifts if name.startswith("decoder") and name.endswith("->beta2") and "conv" not in name}
    for name in shifts.keys() - unused:
        changed = run(net.separate, mix, conditions=[{**shifts, name: shifts[name] + 1}])[0, 0]
        assert not torch.equal(changed, first), name


def test_each_example_has_its_own_condition():
    """A batch with as many conditions as examples gives what each example gives with its condition."""
    net, mix, asked = tiny(), noise(2, 1, SAMPLES), conditions(2)
    alone = [run(net, mix[i : i + 1], condition=asked[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(run(net, mix, condition=asked), torch.cat(alone), atol=0, rtol=0)


def test_conditions_must_fit_the_examples():
    """Two conditions for three examples are refused."""
    with pytest.raises(ValueError, match="one condition each"):
        tiny()(noise(3, 1, SAMPLES), conditions(2))


@pytest.mark.parametrize("samples", [1, 7, 1024, 1025, 5001, 10240])
def test_any_length_comes_back(samples):
    """Audio of any length gives stems of the same length, all finite."""
    estimates = run(tiny().separate, noise(1, 1, samples), conditions=conditions(2))
    assert estimates.shape == (1, 2, samples)
    assert estimates.isfinite().all()


def test_examples_of_a_batch_do_not_influence_each_other():
    """An example in a batch gives what it gives alone."""
    net, mix, asked = tiny(), noise(3, 1, SAMPLES), conditions(1)
    alone = torch.cat([run(net, example[None], condition=asked) for example in mix])
    torch.testing.assert_close(run(net, mix, condition=asked), alone, atol=1e-6, rtol=0)


def test_half_precision_is_made_once():
    """What is folded into a convolution is kept in its precision, and changes nothing that converting it each time would not."""
    half = copied(tiny(), "cpu", torch.bfloat16)
    blocks = [module for module in half.modules() if isinstance(module, ResidualBlock)]
    assert {block.folded.get().weight1.dtype for block in blocks} == {torch.bfloat16}
    block = blocks[0]
    scale, _ = affine_of(block.bn2)
    exact = (block.conv1.weight.float() * scale[:, None, None, None]).bfloat16()
    assert torch.equal(block.folded.get().weight1, exact)


def test_half_precision_stays_close_to_single():
    """With weights that keep levels, the output is in single precision, and near it."""
    net, mix, asked = with_unit_gain(tiny()), music(1, 2 * SAMPLES), conditions(1)
    with computing("cpu", "bf16"):
        rough = run(copied(net, "cpu", torch.bfloat16), mix, condition=asked)
    assert rough.dtype == torch.float32
    assert 35 < agreement_db(rough, run(net, mix, condition=asked)) < 100


def test_tensors_assigned_to_a_meta_network_are_all_it_needs():
    """A network built without memory works as soon as it has the tensors of a checkpoint."""
    net, mix, asked = tiny(), noise(1, 1, SAMPLES), conditions(1)
    with torch.device("meta"):
        built = ResUNet30(ResUNet30Params.tiny()).eval()
    built.load_state_dict(net.state_dict(), assign=True, strict=True)
    torch.testing.assert_close(run(built, mix, condition=asked), run(net, mix, condition=asked), atol=0, rtol=0)


def test_new_weights_replace_what_was_worked_out_from_the_old_ones():
    """Loading other weights into a network that has run already gives the other weights' output."""
    net, mix, asked = tiny(), noise(1, 1, SAMPLES), conditions(1)
    before = run(net, mix, condition=asked)
    net.load_state_dict({key: tensor * 1.1 for key, tensor in net.state_dict().items()})
    fresh = tiny()
    fresh.load_state_dict(net.state_dict())
    after = run(net, mix, condition=asked)
    torch.testing.assert_close(after, run(fresh, mix, condition=asked), atol=0, rtol=0)
    assert not torch.allclose(before, after)


def test_a_network_works_outside_of_inference_mode_too():
    """What a network keeps from a run in inference mode can be used after it, and the input is left as it was."""
    net, mix, asked = tiny(), noise(1, 1, SAMPLES), conditions(1)
    inside = run(net, mix, condition=asked)
    with torch.no_grad():
        torch.testing.assert_close(net(mix, asked), inside, atol=0, rtol=0)
    torch.testing.assert_close(mix, noise(1, 1, SAMPLES), atol=0, rtol=0)


def test_a_mask_only_lowers_and_turns():
    """Its size is the first map's sigmoid, whatever the turn; where there is no turn nothing is left."""
    maps = 3 * torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    maps[0, 1:, 0, 0] = 0
    size = torch.linalg.vector_norm(mask_of(maps), dim=-1)
    expected = maps[:, 0].sigmoid()
    expected[0, 0, 0] = 0
    torch.testing.assert_close(size, expected)


def test_the_highest_bin_is_silent():
    """No map reaches the last bin, so nothing of it is kept."""
    parts = torch.zeros(1, 1, 26, 1025, 2)
    parts[..., -1, :] = 1
    assert not tiny()._masked(parts, torch.ones(1, 3, 32, 1024), SAMPLES).any()


def test_names_of_trainers_are_understood():
    """Of a checkpoint with the separator, its stored transforms and the query encoder, the separator's tensors are taken."""
    own = tiny().state_dict()
    stored = {"ss_model.base.stft.conv_real.weight": torch.ones(1), "ss_model.base.istft.ola_window": torch.ones(1)}
    trained = {f"ss_model.{key}": tensor for key, tensor in own.items()}
    taken = tiny().complete_state({**trained, **stored, "query_encoder.model.text_projection.0.bias": torch.ones(1)})
    assert taken.keys() == own.keys()
    assert all(taken[key] is own[key] for key in own)
    assert tiny().complete_state(own).keys() == own.keys()


@pytest.mark.parametrize(
    ("section", "wrong", "key"),
    [
        ("model", {"depth": 3}, "model.depth"),
        ("model", {"model_type": "UNet"}, "model.model_type"),
        ("model", {"input_channels": 2}, "model.input_channels"),
        ("model", {"output_channels": 2}, "model.output_channels"),
        ("model", {"condition_size": "many"}, "model.condition_size"),
        ("model", {"widths": [4, 4]}, "model.widths"),
        ("data", {"sampling_rate": 0}, "data.sampling_rate"),
    ],
)
def test_a_wrong_value_is_refused_by_name(section, wrong, key):
    """A value that no network can have is an error that names its key."""
    with pytest.raises(ValueError, match=f"`{key}`"):
        ResUNet30Params.from_config({**CONFIG, section: CONFIG[section] | wrong})


def test_parameters_of_the_public_configuration():
    """It describes the network of full size, and the defaults are those."""
    params = ResUNet30Params.from_config(CONFIG)
    assert params == ResUNet30Params()
    assert (params.sample_rate, params.channels, params.outputs) == (32000, 1, 1)
