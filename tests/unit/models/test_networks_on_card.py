"""Every network on a graphics card, in every precision. The card is pretended, and refuses what a real one would refuse."""

import gc

import pytest
import torch
from networks import TINY, agreement_db, music
from pretended_card import NAME, PRODUCTS, pretended
from torch import nn

from models.architectures import OWN
from models.blocks.buffers import Derived
from utils.core.job import Job, working_on
from utils.device import computing
from utils.doctor.computing import LEAST_DB, with_unit_gain
from utils.engine.backends import torch as torch_backend
from utils.engine.backends.torch import TorchBackend, copied

pytestmark = pytest.mark.slow
SAMPLES = 2048
# Not all cards have others.
TYPES = {torch.float32, torch.complex64, torch.int64, torch.int32, torch.uint8, torch.bool}
HALVES = {"fp32": set(), "fp16": {torch.float16}, "bf16": {torch.bfloat16}}


@pytest.fixture
def card(monkeypatch):
    with pretended(monkeypatch) as made:
        yield made


class Watch:
    """The types of tensors that were made on the card, and those of products."""

    def __init__(self, card):
        self.types, self.products = set(), set()
        card.seen = self.see

    def see(self, func, made):
        types = {tensor.dtype for tensor in made}
        self.types |= types
        if func._schema.name.removeprefix("aten::") in PRODUCTS:
            self.products |= types


def on_processor(name):
    """A tiny network, a song, and what it makes of it."""
    network, params = TINY[name]
    torch.manual_seed(1)
    net = with_unit_gain(network(params.tiny()))
    mix = music(2, net.input_length(SAMPLES) if hasattr(net, "input_length") else SAMPLES)
    with torch.inference_mode():
        return net, mix, net(mix)


def on_card(net, mix, precision):
    backend = TorchBackend(net)
    backend.move(NAME)
    with torch.inference_mode(), computing(NAME, precision):
        output = backend(mix.to(NAME))
        assert output.device.type == NAME
        return output.cpu()


@pytest.mark.parametrize("name", TINY)
def test_a_network_computes_on_a_card_what_it_computes_on_a_processor(card, name):
    """No table, buffer or result stays elsewhere or is of a type that cards lack, and all memory is given back.

    Half of the precisions are tried on a card without Fourier transforms, as all but NVIDIA's and AMD's are for DSU.
    """
    net, mix, exact = on_processor(name)
    for precision in HALVES if OWN[name].stands_half else ["fp32"]:
        card.be_complete(precision != "fp16")
        watch = Watch(card)
        output = on_card(net, mix, precision)
        assert output.dtype == torch.float32
        assert agreement_db(output, exact) > LEAST_DB[precision]
        assert watch.types <= TYPES | HALVES[precision]
        assert watch.products >= HALVES[precision]
    gc.collect()
    assert card.allocated == 0


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", ["htdemucs", "tasnet"])
def test_the_processor_computes_convolutions_that_are_too_large_for_a_card(card, monkeypatch, name, precision):
    """Those of a Mac's graphics processor are, before macOS 15.1. The result is as near as ever, and the job says so once."""
    monkeypatch.setattr(torch_backend, "INCOMPLETE_DEVICES", frozenset({NAME}))
    net, mix, exact = on_processor(name)
    job, card.largest_convolution = Job(), 100
    with working_on(job):
        assert agreement_db(on_card(net, mix, precision), exact) > LEAST_DB[precision]
    assert len(set(job.warnings)) == 1
    assert "convolutions" in job.warnings[0]
    card.largest_convolution = None
    job = Job()
    with working_on(job):
        on_card(net, mix, precision)
    assert job.warnings == []


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(("name", "missing"), [("mel_band_roformer", "sigmoid"), ("htdemucs", "gelu")])
def test_the_processor_computes_what_a_card_has_no_kernel_for(card, monkeypatch, name, missing, precision):
    """Any function of torch may be missing on a Mac. The job names it."""
    monkeypatch.setattr(torch_backend, "INCOMPLETE_DEVICES", frozenset({NAME}))
    net, mix, exact = on_processor(name)
    job, card.missing = Job(), frozenset({missing, f"_{missing}"})
    with working_on(job):
        assert agreement_db(on_card(net, mix, precision), exact) > LEAST_DB[precision]
    assert job.warnings
    assert all("has no kernel for `" in warning for warning in job.warnings)


def test_what_writes_into_a_tensor_does_so_on_the_processor_too(card, monkeypatch):
    """Also where the result goes into another tensor, and where a function makes one from nothing."""
    monkeypatch.setattr(torch_backend, "INCOMPLETE_DEVICES", frozenset({NAME}))
    here = torch.ones(4).to(NAME)
    into = torch.zeros(4).to(NAME)
    card.missing = frozenset({"cos_", "cos", "cumsum", "hann_window"})
    job = Job()
    with working_on(job), torch_backend.helped(NAME):
        assert here.cos_() is here
        torch.cumsum(here, 0, out=into)
        made = torch.hann_window(8, device=NAME)
    close = torch.testing.assert_close
    close(here.cpu(), torch.ones(4).cos())
    close(into.cpu(), torch.ones(4).cos().cumsum(0))
    close(made.cpu(), torch.hann_window(8))
    assert made.device.type == NAME
    assert [warning.split("`")[1] for warning in job.warnings] == ["cos_", "cumsum", "hann_window"]


def test_a_card_that_should_have_all_kernels_gets_no_help(card):
    """What is missing there is an error, not a job that takes a hundred times as long."""
    card.missing = frozenset({"cos"})
    with torch_backend.helped(NAME), pytest.raises(NotImplementedError):
        torch.ones(4).to(NAME).cos()


# What the card finds -----------------------------------------------------------------------------------------------


class Planted(nn.Module):
    """A layer and a table that is made by a function of the device."""

    def __init__(self, make_table):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.table = Derived(make_table)

    def forward(self, mix):
        return self.layer(mix) * self.table.get(mix.device)


def test_a_table_that_stays_in_the_host_s_memory_is_found(card):
    """It fails as on a real card; the same table on the card does not."""
    mix = torch.randn(2, 4)
    assert on_card(Planted(lambda device: torch.arange(4.0, device=device)), mix, "fp32").shape == (2, 4)
    with pytest.raises(RuntimeError, match="same device"):
        on_card(Planted(lambda device: torch.arange(4.0)), mix, "fp32")


def test_a_table_of_a_type_that_not_all_cards_have_is_found(card):
    """It would be an error on a Mac."""
    watch = Watch(card)
    on_card(
        Planted(lambda device: torch.arange(4, dtype=torch.float64, device=device).float()), torch.randn(2, 4), "fp32"
    )
    assert torch.float64 in watch.types


def test_weights_that_do_not_fit_their_input_are_found(card):
    """Products are of one type, unless `torch.autocast` sees to it."""
    half = copied(nn.Linear(4, 4), NAME, torch.float16)
    with torch.inference_mode():
        with pytest.raises(RuntimeError, match="several types"):
            half(torch.randn(2, 4).to(NAME))
        with computing(NAME, "fp16"):
            assert half(torch.randn(2, 4).to(NAME)).dtype == torch.float16
