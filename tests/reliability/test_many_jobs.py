"""A worker that goes on for days. After many jobs of all kinds it holds as much as after a few."""

import itertools

import psutil
from job_folders import FORMATS, tree

MODELS = ("tiny", "tiny_bs_roformer", "tiny_mdx23c", "tiny_vr_vocals.pth", "tiny_mdx_vocals.onnx")
ENOUGH = 1000  # jobs, after a tenth of which a worker has all that it will keep


def jobs(songs, out):
    """Jobs without end, each with the statuses that it may end with."""
    good = {"cmd": "separate", "input": str(songs / "first.wav"), "output": str(out), "progress": False}
    models, formats = itertools.cycle(MODELS), itertools.cycle(FORMATS)
    while True:
        yield {**good, "model": next(models), "format": next(formats)}, ("done",)
        yield {**good, "model": next(models), "resume": True}, ("done",)
        yield {**good, "model": next(models), "input": str(songs / "missing.wav")}, ("error",)
        yield {**good, "model": next(models), "inputs": [str(songs)], "input": None}, ("done",)
        yield {"cmd": "load_model", "model": next(models)}, ("model_loaded",)
        yield {**good, "model": "there is none"}, ("error",)
        yield {"cmd": "batch", "jobs": [{**good, "model": next(models), "overwrite": True}] * 2}, ("done",)
        yield {**good, "model": next(models), "stems": 5}, ("error",)
        yield {"cmd": "clear_cache"}, ("cache_cleared",)


def test_many_jobs_leave_a_worker_as_few_do(scenario, forge, models, songs, tmp_path):
    """After thousands of jobs, descriptors and threads are those after a tenth of them, and memory is within 2 % (of a hundred jobs: half of them, a third)."""
    count = scenario.times(60, 2000)
    is_many = count >= ENOUGH
    early = count // 10 if is_many else count // 2
    seen = []
    with forge.start("dsu", models) as worker:
        process = psutil.Process(worker.pid)
        for number, (request, expected) in enumerate(itertools.islice(jobs(songs, tmp_path / "out"), count), start=1):
            with scenario.trial("job", request):
                worker.send({**request, "id": number})
                last = worker.expect("done", "error", "model_loaded", "cache_cleared", id=number)
                assert last["status"] in expected, last
            worker.transcript.clear()
            if number in (early, count):
                worker.send({"cmd": "clear_cache"})  # what is loaded at the moment would count otherwise
                worker.expect("cache_cleared")
                seen.append((process.memory_info().rss, process.num_fds(), process.num_threads()))
        (early_rss, *early_others), (late_rss, *late_others) = seen
        with scenario.trial("worker"):
            assert late_others == early_others
            assert late_rss < early_rss * (1.02 if is_many else 4 / 3)
    scenario.note(f"{early_rss >> 20} MiB after {early} jobs, {late_rss >> 20} MiB after {count}")
    assert not [name for name in tree(tmp_path / "out") if name.endswith((".part", ".kept", ".journal"))]
