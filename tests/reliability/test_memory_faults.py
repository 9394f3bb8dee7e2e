"""Memory that runs out. Each new tensor of a job finds none, once or from then on."""

from job_folders import OLD, STEMS, tree
from planned_faults import done


def test_a_job_that_finds_no_memory_goes_on_or_says_so(scenario, forge, demucs_models, songs, tmp_path):
    """A job in which one tensor finds no memory is done with less at a time or is one error, and the next job is right."""
    with forge.start("demucs", demucs_models) as worker:

        def separate(folder):
            worker.send(
                {
                    "cmd": "separate",
                    "input": str(songs / "first.wav"),
                    "output": str(folder),
                    "name_template": "{stem}",
                    "model": "tiny",
                    "shifts": 0,
                    "progress": False,
                }
            )
            return worker.expect("done", "error")

        assert separate(tmp_path / "right")["status"] == "done"
        right = tree(tmp_path / "right")
        low, high = 0, 1
        while strikes(separate, tmp_path / f"memory-{high}"):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if strikes(separate, tmp_path / f"memory-{middle}") else (low, middle)
        for lasting in ("", "-on"):
            for number in scenario.chosen(range(1, low + 1), 8):
                folder = tmp_path / f"try-{number}{lasting}" / f"memory-{number}{lasting}"
                folder.mkdir(parents=True)
                old = dict.fromkeys((f"{stem}.wav" for stem in STEMS), OLD)
                for name, data in old.items():
                    (folder / name).write_bytes(data)
                last = separate(folder)
                assert done(folder) is not None
                with scenario.trial("lasting" if lasting else "once", number, done(folder)):
                    assert last.get("code") in (None, "out_of_memory"), last
                    found = tree(folder)
                    assert found.keys() == right.keys()
                    assert (found == old) == (last["status"] == "error")
                    assert separate(folder.with_name("next"))["status"] == "done"
                    assert tree(folder.with_name("next")) == right


def strikes(separate, folder):
    separate(folder)
    return done(folder) is not None
