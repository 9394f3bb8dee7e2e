"""Undoing what is under way when the process has to go."""

import pytest

from utils.core import cleanup


def test_what_is_under_way_is_undone_newest_first():
    """One that fails does not keep the others, and nothing is undone twice."""
    done = []

    def fail():
        done.append("fails")
        raise OSError

    with (
        cleanup.undone_on_exit(lambda: done.append("first")),
        cleanup.undone_on_exit(fail),
        cleanup.undone_on_exit(lambda: done.append("last")),
    ):
        cleanup.run_all()
        cleanup.run_all()
    assert done == ["last", "fails", "first"]


def test_what_is_over_is_not_undone():
    """Whether it ended well or not."""
    done = []
    with cleanup.undone_on_exit(lambda: done.append("well")):
        pass
    with pytest.raises(ZeroDivisionError), cleanup.undone_on_exit(lambda: done.append("badly")):
        _ = 1 / 0
    cleanup.run_all()
    assert done == []
