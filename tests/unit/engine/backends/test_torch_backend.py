"""Networks built without data cost nothing and keep all names and shapes; those that run do so in the precision around."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from models.blocks.buffers import Derived
from models.blocks.recurrent import has_cpu_kernel
from utils.core.job import Job, JobCancelled, working_on
from utils.device import computing
from utils.engine.backends import Overflow
from utils.engine.backends.torch import TorchBackend, copied, for_inference, without_data
from utils.engine.pipeline.demix import Compute, Runner

ROOT = Path(__file__).resolve().parents[4]


def make():
    net = nn.Sequential(nn.Embedding(7, 3), nn.Conv1d(2, 4, 3), nn.LSTM(3, 5), nn.Linear(3, 3))
    nn.init.trunc_normal_(net[3].weight)
    net[0].weight.data /= 10
    return net


def test_shapes_without_data():
    """The keys and shapes equal those of a normally built network, and every tensor is on `meta`."""
    with without_data():
        empty = make()
    assert {key: tensor.shape for key, tensor in empty.state_dict().items()} == {
        key: tensor.shape for key, tensor in make().state_dict().items()
    }
    assert all(tensor.is_meta for tensor in empty.state_dict().values())


def test_networks_built_afterwards_are_initialised_as_usual():
    """Random initialisation works again outside the context."""
    with without_data():
        make()
    assert nn.Linear(30, 30).weight.std() > 0
    assert torch.ones(3).mul_(2).sum() == 6


def test_loading_a_checkpoint_leaves_the_compiler_alone(repo):
    """Reading a Demucs checkpoint does not import torch's compiler, which would take longer than everything else."""
    path = next(repo.glob("aaaa0001*.th"))
    code = (
        "import sys; from pathlib import Path; from utils.engine.families.demucs.package import load_net\n"
        f"load_net(Path({str(path)!r}), mapped=True, allow_unsafe=False)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_tables_are_computed():
    """Tables that follow from sizes alone have values, and an explicit device is respected."""
    with without_data():
        window = torch.hann_window(4)
        table = 2.0 ** torch.arange(4)
        steps = torch.linspace(0, 1, 3, device=None)
        explicit = torch.arange(4, device="meta")
        weight = torch.zeros(4)
    assert table.tolist() == [1.0, 2.0, 4.0, 8.0]
    assert steps.tolist() == [0.0, 0.5, 1.0]
    assert window.tolist() == [0.0, 0.5, 1.0, 0.5]
    assert explicit.is_meta
    assert weight.is_meta


def test_building_our_networks_leaves_the_compiler_alone():
    """None of our own architectures makes torch import its compiler while it is built on `meta`."""
    code = (
        "import sys\n"
        "from models.architectures import OWN, network_class, params_class\n"
        "from utils.engine.backends.torch import without_data\n"
        "for kind in OWN:\n"
        "    network, params = network_class(kind), params_class(kind).tiny()\n"
        "    with without_data():\n"
        "        network(params)\n"
        "    if 'torch._dynamo' in sys.modules:\n"
        "        sys.exit(kind)\n"
    )
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")


# Precision ----------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    """One layer of each kind, and a table derived from weights."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 8, 3, padding=1)
        self.norm = nn.GroupNorm(1, 8)
        self.lstm = nn.LSTM(8, 4, batch_first=True)
        self.linear = nn.Linear(4, 2)
        self.register_buffer("steps", torch.arange(3))
        self.scale = nn.Parameter(torch.ones(2))
        self.doubled = Derived(self.twice)

    def forward(self, mix):
        rows = self.norm(self.conv(mix)).transpose(1, 2)
        return (self.linear(self.lstm(rows)[0]) * self.scale).float()

    def twice(self):
        return 2 * self.linear.weight

    def halved(self, mix):
        return self(mix) / 2


@pytest.fixture
def net():
    torch.manual_seed(0)
    return for_inference(Net())


def run(backend, mix, precision):
    with torch.inference_mode(), computing("cpu", precision):
        return backend(mix)


def test_weights_of_products_are_converted_once(net):
    """A copy holds them in half precision and everything else as it was; the network itself stays as it is."""
    half = copied(net, "cpu", torch.bfloat16)
    kinds = {name: tensor.dtype for name, tensor in half.state_dict().items()}
    products = {"conv", "linear", *(("lstm",) if has_cpu_kernel(torch.bfloat16) else ())}
    assert {name for name, kind in kinds.items() if kind == torch.bfloat16} == {
        name for name in kinds if name.partition(".")[0] in products
    }
    assert kinds["norm.weight"] == kinds["scale"] == torch.float32
    assert kinds["steps"] == torch.int64
    assert {tensor.dtype for tensor in net.parameters()} == {torch.float32}
    assert half.norm.weight.data_ptr() == net.norm.weight.data_ptr()  # shared, not copied


def test_a_copy_makes_anew_what_it_derives_from_its_weights(net):
    """It does not keep what was derived from the weights in single precision, and leaves that alone."""
    single = net.doubled.get()
    half = copied(net, "cpu", torch.bfloat16)
    assert half.doubled.get().dtype == torch.bfloat16
    assert single.dtype == torch.float32
    assert net.doubled.get() is single


def test_recurrent_layers_stay_in_single_precision_on_mac_graphics(monkeypatch, net):
    """Their weights do, and what they are given does: autocast leaves both as they are there."""
    real, given = torch.Tensor.to, []
    monkeypatch.setattr(
        torch.Tensor, "to", lambda self, *args, **options: self if args == ("mps",) else real(self, *args, **options)
    )
    half = copied(net, "mps", torch.float16)
    assert half.linear.weight.dtype == torch.float16
    assert {tensor.dtype for tensor in half.lstm.parameters()} == {torch.float32}
    monkeypatch.setattr(nn.LSTM, "forward", lambda self, rows: given.append(rows.dtype) or (rows[..., :4], None))
    half.lstm(torch.randn(1, 30, 8, dtype=torch.float16))
    assert given == [torch.float32]


def test_tensors_that_layers_share_stay_shared(net):
    """A weight in two layers is converted once."""
    net.other = nn.Linear(4, 2)
    net.other.weight = net.linear.weight
    half = copied(net, "cpu", torch.bfloat16)
    assert half.other.weight is half.linear.weight


def test_converted_weights_change_nothing_that_autocast_would_not(net):
    """The output is that of the network under `torch.autocast`, bit by bit."""
    mix = torch.randn(1, 2, 30)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = net(mix)
    assert torch.equal(run(TorchBackend(net), mix, "bf16"), expected)
    assert not torch.equal(run(TorchBackend(net), mix, "fp32"), expected)


def test_a_backend_calls_the_method_of_the_copy(net):
    """In both precisions it is the method that was named."""
    mix = torch.randn(1, 2, 30)
    for precision in ("fp32", "bf16"):
        whole, half = (run(TorchBackend(net, method), mix, precision) for method in ("forward", "halved"))
        torch.testing.assert_close(half, whole / 2)


def test_a_copy_is_made_when_it_is_first_needed_and_counted(net):
    """Preparing makes it; moving drops it, with its memory."""
    backend = TorchBackend(net)
    alone = backend.size_bytes()
    run(backend, torch.randn(1, 2, 30), "fp32")
    assert backend.size_bytes() == alone
    backend.prepare("bf16")
    assert alone < backend.size_bytes() < 1.7 * alone
    prepared = backend.size_bytes()
    run(backend, torch.randn(1, 2, 30), "bf16")
    assert backend.size_bytes() == prepared
    backend.move("cpu")
    assert backend.size_bytes() == alone


def test_the_size_on_a_graphics_card_is_that_of_its_copies(net):
    """What they were made from is not there, and the whole is expected there as long as there is no copy."""
    backend = TorchBackend(net)
    alone = backend.size_bytes()
    backend.move("cpu:0")  # torch computes there as on the CPU
    assert backend.size_bytes() == alone
    backend.prepare("bf16")
    assert backend.size_bytes() < alone
    backend.prepare("fp32")
    assert alone < backend.size_bytes() < 2 * alone


def test_a_network_that_overflows_says_so_once(net):
    """Then it computes in single precision, whatever is asked for."""
    backend = TorchBackend(net)
    mix = torch.randn(1, 2, 30)
    net.scale.data.fill_(1e-30)
    net.linear.bias.data.fill_(3.4e38)  # infinite in bf16, whose steps are larger
    assert run(backend, mix, "fp32").isfinite().all()
    with pytest.raises(Overflow):
        run(backend, mix, "bf16")
    assert not backend.halves
    assert torch.equal(run(backend, mix, "bf16"), run(backend, mix, "fp32"))


def test_chunks_that_overflow_at_the_same_time_are_all_computed_again(net):
    """Each says so, and the job goes on: the second finds nothing more to drop."""
    both_ran = threading.Barrier(2, timeout=60)
    finish = Net.forward

    def overflowing(self, mix):
        output = finish(self, mix)
        if not torch.is_autocast_enabled("cpu"):
            return output
        both_ran.wait()
        return output * float("nan")

    net.forward = overflowing.__get__(net)
    backend, mixes = TorchBackend(net, "forward"), [torch.randn(2, 30) for _ in range(2)]
    with Runner(Compute("cpu", threads=2, precision="bf16", workers=2), Job(), lambda: False) as runner:
        outputs = runner.run(backend, mixes)
    assert runner.overflowed
    for output, mix in zip(outputs, mixes, strict=True):
        torch.testing.assert_close(output, run(backend, mix[None], "fp32")[0])


def test_a_network_known_not_to_stand_it_never_computes_in_half_precision(net):
    """Nothing is converted for it."""
    backend = TorchBackend(net, halves=False)
    mix = torch.randn(1, 2, 30)
    alone = backend.size_bytes()
    backend.prepare("bf16")
    assert torch.equal(run(backend, mix, "bf16"), run(backend, mix, "fp32"))
    assert backend.size_bytes() == alone


# Cancelling ---------------------------------------------------------------------------------------------------------


def cancelling(job, ran):
    """A layer that cancels a job, before another."""

    class Cancelling(nn.Module):
        def forward(self, mix):
            job.cancel()
            return mix

    class Last(nn.Module):
        def forward(self, mix):
            ran.append(True)
            return mix

    return for_inference(nn.Sequential(Cancelling(), nn.Sequential(Last())))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_is_cancelled_inside_a_network_ends_before_its_next_layer(precision, workers):
    """In copies, too, and in whatever thread the network runs."""
    job, ran = Job(), []
    backend = TorchBackend(cancelling(job, ran))
    compute = Compute("cpu", threads=2, precision=precision, workers=workers)
    with Runner(compute, job, lambda: False) as runner, pytest.raises(JobCancelled):
        runner.run(backend, [torch.zeros(2, 30)] * workers)
    assert ran == []
    assert run(backend, torch.zeros(1, 2, 30), precision).shape == (1, 2, 30)  # who has no job is not affected
    assert ran == [True]


def test_a_network_is_not_converted_for_a_job_that_was_cancelled(net):
    """Large ones take seconds."""
    job, backend = Job(), TorchBackend(net)
    alone = backend.size_bytes()
    job.cancel()
    with working_on(job), pytest.raises(JobCancelled):
        backend.prepare("bf16")
    assert backend.size_bytes() == alone
    backend.prepare("bf16")
    assert backend.size_bytes() > alone


def test_networks_on_graphics_cards_have_no_checkpoints(monkeypatch):
    """Their layers take the thread no time. What else happens before a layer still does."""
    real, job, ran = torch.Tensor.to, Job(), []
    monkeypatch.setattr(
        torch.Tensor, "to", lambda self, *args, **options: self if args == ("mps",) else real(self, *args, **options)
    )
    net = cancelling(job, ran)
    net[1].register_forward_pre_hook(lambda *_: ran.append("before"))
    TorchBackend(net)
    with working_on(job):
        copied(net, "mps", torch.float32)(torch.zeros(1, 2, 30))
    assert ran == ["before", True]
