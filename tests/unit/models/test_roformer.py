"""What BS-RoFormer and Mel-Band RoFormer have in common."""

from dataclasses import asdict, replace

import pytest
import torch
from roformer_case import NETWORKS, largest_difference, noise, with_random_weights

from models.blocks import stft, transformer


@pytest.fixture(params=NETWORKS)
def network(request):
    """A network's parameters and its class."""
    return NETWORKS[request.param]


@pytest.fixture
def net(network):
    """A tiny network with random weights."""
    params, build = network
    return with_random_weights(build(params.tiny()))


@pytest.mark.parametrize("samples", [1, 32, 33, 97, 320, 333])
def test_the_output_is_as_long_as_the_input(net, samples):
    """Any length, whole hops or not, comes back with one signal per stem and channel."""
    with torch.inference_mode():
        assert net(noise(1, 2, samples)).shape == (1, 2, 2, samples)


def test_a_single_stem_keeps_its_axis(network):
    """A network with one head gives one stem, not none."""
    params, build = network
    with torch.inference_mode():
        assert build(replace(params.tiny(), num_stems=1))(noise(1, 2, 320)).shape == (1, 1, 2, 320)


def test_mono_networks_take_one_channel(network):
    """Without `stereo` there is one audio channel."""
    params, build = network
    with torch.inference_mode():
        assert build(replace(params.tiny(), stereo=False))(noise(1, 1, 320)).shape == (1, 2, 1, 320)


def test_a_wrong_number_of_channels_is_refused(net):
    """A mono mix does not slip into a stereo network."""
    with pytest.raises(ValueError, match="batch, 2, samples"):
        net(noise(1, 1, 320))


def test_batch_items_do_not_see_each_other(net):
    """A mix gives the same stems alone and in a batch."""
    mixes = noise(3, 2, 333)
    with torch.inference_mode():
        alone = torch.cat([net(mix[None]) for mix in mixes])
        assert largest_difference(net(mixes), alone) < 1e-5


@pytest.mark.parametrize("stems", [[0], [1], [1, 0]])
def test_chosen_heads_give_what_they_give_among_all(net, stems):
    """Running only some heads, in any order, changes nothing in their stems."""
    mix = noise(1, 2, 333)
    with torch.inference_mode():
        assert torch.equal(net(mix, stems), net(mix)[:, stems])


def test_only_the_chosen_heads_are_run(net):
    """A head that nobody asked for costs nothing."""
    ran = []
    for index, head in enumerate(net.mask_estimators):
        head.register_forward_hook(lambda *_, index=index: ran.append(index))
    with torch.inference_mode():
        net(noise(1, 2, 320), [1])
    assert ran == [1]


@pytest.mark.parametrize("skip_connection", [False, True])
def test_the_size_of_blocks_does_not_change_the_output(network, monkeypatch, skip_connection):
    """Working through sequences in small blocks or all at once gives the same stems."""
    params, build = network
    net = with_random_weights(build(replace(params.tiny(), skip_connection=skip_connection)))
    mixes = noise(2, 2, 333)
    with torch.inference_mode():
        usual = net(mixes)
        monkeypatch.setattr(transformer, "CPU_BLOCK_TOKENS_PER_THREAD", 1)
        assert largest_difference(net(mixes), usual) < 1e-5


def test_half_precision_stays_close(net):
    """Under bfloat16 autocast the stems are single precision and near the exact ones."""
    mix = noise(1, 2, 333)
    with torch.inference_mode():
        exact = net(mix)
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(mix)
    assert rough.dtype == torch.float32
    assert 0 < largest_difference(rough, exact) < 0.1 * float(exact.abs().max())


def test_a_network_built_without_memory_runs_after_assignment(network, net):
    """What no checkpoint holds is made on first use, also where the network was built on the meta device."""
    params, build = network
    with torch.device("meta"):
        mapped = build(params.tiny())
    mapped.load_state_dict(net.state_dict(), strict=True, assign=True)
    mix = noise(1, 2, 320)
    with torch.inference_mode():
        assert torch.equal(mapped(mix), net(mix))


def test_other_weights_replace_what_was_worked_out_from_the_first(network, net):
    """Loading new weights into a network that has already run gives the new weights' output."""
    params, build = network
    other = with_random_weights(build(params.tiny()), seed=3)
    mix = noise(1, 2, 320)
    with torch.inference_mode():
        expected = other(mix)
        net(mix)
        net.load_state_dict(other.state_dict(), strict=True)
        assert torch.equal(net(mix), expected)


def test_gradients_flow_after_a_run_in_inference_mode(net):
    """Tables that were made in inference mode do not spoil a later run outside of it."""
    mix = noise(1, 2, 320)
    with torch.inference_mode():
        net(mix)
    net(mix).square().mean().backward()
    assert float(net.layers[0][0].layers[0][0].to_qkv.weight.grad.abs().max()) > 0


def test_devices_without_complex_numbers_get_the_same_stems(net, monkeypatch):
    """Where complex numbers are incomplete, the same comes out of their parts."""
    mix = noise(1, 2, 333)
    with torch.inference_mode():
        usual = net(mix)
        monkeypatch.setattr(stft, "COMPLETE_DEVICES", frozenset())
        assert largest_difference(net(mix), usual) < 1e-5


def test_silence_stays_silent(net):
    """A mix of zeros gives zeros, not NaN."""
    with torch.inference_mode():
        assert not net(torch.zeros(1, 2, 320)).any()


def test_linear_attention_is_a_transformer_of_its_own_in_each_layer(network):
    """With `linear_transformer_depth`, a layer has three transformers, and the first has no rotary positions."""
    params, build = network
    net = with_random_weights(build(replace(params.tiny(), linear_transformer_depth=1)))
    keys = net.state_dict().keys()
    assert "layers.1.0.layers.0.0.temperature" in keys
    assert "layers.1.2.layers.0.0.rotary_embed.freqs" in keys
    with torch.inference_mode():
        assert net(noise(2, 2, 333)).isfinite().all()


def test_layers_share_one_rotary_table_per_axis(net):
    """The frequencies appear under every layer, but are two tensors in all."""
    named = dict(net.named_parameters(remove_duplicate=False))
    freqs = [parameter for key, parameter in named.items() if key.endswith("freqs")]
    assert len(freqs) == 4
    assert len(set(map(id, freqs))) == 2


def test_public_configurations_may_name_training_options(network):
    """Options that inference ignores are accepted, and lists become tuples."""
    params, _ = network
    options = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(params.tiny()).items()}
    training = {"attn_dropout": 0.1, "flash_attn": True, "multi_stft_hop_size": 147, "dim_freqs_in": 1025}
    assert params.from_config({"model": {**options, **training}}) == params.tiny()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"dmi": 8}, "dmi"),
        ({"dim": "8"}, "dim"),
        ({"dim": True}, "dim"),
        ({"heads": 0}, "heads"),
        ({"stereo": 1}, "stereo"),
        ({"linear_transformer_depth": -1}, "linear_transformer_depth"),
        ({"dim_head": 3}, "dim_head"),
        ({"stft_win_length": 128}, "stft_win_length"),
    ],
)
def test_a_wrong_option_is_named(network, changes, named):
    """A configuration with an unknown option or an impossible value is refused with that option's name."""
    params, _ = network
    with pytest.raises(ValueError, match=named):
        params.from_config({"model": {**asdict(params.tiny()), **changes}})


def test_a_missing_size_is_named(network):
    """The options without a default have to be there."""
    params, _ = network
    with pytest.raises(ValueError, match="depth"):
        params.from_config({"model": {"dim": 8}})
