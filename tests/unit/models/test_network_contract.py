"""What the engine may expect of every network, whatever is inside."""

import gc
from types import FunctionType, ModuleType

import pytest
import torch
from networks import TINY, agreement_db, music, noise, run, tiny, with_unit_gain

from models.architectures import OWN
from utils.device import computing
from utils.engine.backends.torch import copied

pytestmark = [pytest.mark.parametrize("name", TINY), pytest.mark.slow]
SHORTEST = {"bs_roformer": 33, "mel_band_roformer": 33}  # samples: their spectrum mirrors half a frame at either end


@pytest.mark.parametrize("samples", [1, 7, 777, 5001])
def test_any_length_comes_back_with_a_stem_axis(name, samples):
    """Audio of any length gives stems of the same length, all finite."""
    samples = max(samples, SHORTEST.get(name, 1))
    estimates = run(tiny(name), noise(2, 2, samples))
    assert estimates.ndim == 4
    assert estimates.shape[0] == 2
    assert estimates.shape[2:] == (2, samples)
    assert estimates.isfinite().all()


def test_examples_of_a_batch_do_not_influence_each_other(name):
    """An example in a batch gives what it gives alone."""
    net, mix = tiny(name), noise(3, 2, 4000)
    together = run(net, mix)
    alone = torch.cat([run(net, example[None]) for example in mix])
    assert torch.equal(together, alone) or agreement_db(together, alone) > 70  # rounding, which deep norms amplify


def test_parameters_tell_the_number_of_heads(name):
    """The parameters say how many stems come out, without a run."""
    net = tiny(name)
    assert run(net, noise(1, 2, 4000)).shape[1] == net.params.outputs


def test_wanted_heads_equal_the_same_part_of_all(name):
    """Asking for some stems gives these of all stems, in the order asked."""
    net, mix = tiny(name), noise(1, 2, 4000)
    everything = run(net, mix)
    for wanted in ([everything.shape[1] - 1], list(reversed(range(everything.shape[1])))):
        torch.testing.assert_close(run(net, mix, stems=wanted), everything[:, wanted], atol=1e-6, rtol=0)


def test_a_head_that_is_not_there_is_refused(name):
    """A stem number beyond the last head is an error, never another stem."""
    with pytest.raises((IndexError, ValueError)):
        run(tiny(name), noise(1, 2, 4000), stems=[9])


def test_a_copy_holds_on_to_nothing_of_the_network(name):
    """No layer, table or function of a copy leads back to the network, which may be on another device."""
    network, params = TINY[name]
    net = network(params.tiny())
    copy = copied(net, "cpu", torch.bfloat16)
    own = {id(layer): path for path, layer in net.named_modules()}
    assert [own[each] for each in reachable(copy) if each in own] == []


def reachable(root):
    """The identities of all objects that an object refers to, directly or not."""
    seen, waiting = {}, [root]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType):
            continue
        seen[id(each)] = each
        waiting += (each.__closure__ or ()) if isinstance(each, FunctionType) else gc.get_referents(each)
    return list(seen)


def test_half_precision_stays_close_to_single(name):
    """With weights that keep levels, the output is in single precision, and near it where the table says so."""
    network, params = TINY[name]
    torch.manual_seed(1)
    net = with_unit_gain(network(params.tiny()))
    mix = music(2, 8000)
    with computing("cpu", "bf16"):
        rough = run(copied(net, "cpu", torch.bfloat16), mix)
    assert rough.dtype == torch.float32
    agreement = agreement_db(rough, run(net, mix))
    assert agreement < 100
    assert (agreement > 35) is OWN[name].stands_half


def test_tensors_assigned_to_a_meta_network_are_all_it_needs(name):
    """A network built without memory works as soon as it has the tensors of a checkpoint."""
    net, mix = tiny(name), noise(1, 2, 4000)
    network, params = TINY[name]
    with torch.device("meta"):
        built = network(params.tiny()).eval()
    built.load_state_dict(net.state_dict(), assign=True, strict=True)
    torch.testing.assert_close(run(built, mix), run(net, mix), atol=0, rtol=0)


def test_new_weights_replace_what_was_worked_out_from_the_old_ones(name):
    """Loading other weights into a network that has run already gives the other weights' output."""
    net, mix = tiny(name), noise(1, 2, 4000)
    before = run(net, mix)
    net.load_state_dict({key: tensor * 1.1 for key, tensor in net.state_dict().items()})
    after = run(net, mix)
    fresh = tiny(name)
    fresh.load_state_dict(net.state_dict())
    torch.testing.assert_close(after, run(fresh, mix), atol=0, rtol=0)
    assert not torch.allclose(before, after)


def test_a_network_works_outside_of_inference_mode_too(name):
    """What a network keeps from a run in inference mode can be used after it."""
    net, mix = tiny(name), noise(1, 2, 4000)
    inside = run(net, mix)
    with torch.no_grad():
        torch.testing.assert_close(net(mix), inside, atol=0, rtol=0)


def test_the_input_is_left_as_it_was(name):
    """A network does not write into the audio it is given."""
    mix = noise(1, 2, 4000)
    run(tiny(name), mix)
    torch.testing.assert_close(mix, noise(1, 2, 4000), atol=0, rtol=0)
