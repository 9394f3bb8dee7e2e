"""What a client is told of an exception."""

import msgspec
import pytest

from utils.core.errors import DeviceLost, UnknownModel
from utils.core.failures import error_reply


def test_our_errors_are_told_in_full():
    """Message, code, hint, suggestions and field, and nothing that is not there."""
    error = UnknownModel("no x", hint="list", suggestions=("y",), field="model")
    told = msgspec.to_builtins(error_reply(error))
    assert told == {
        "status": "error",
        "message": "no x",
        "code": "unknown_model",
        "hint": "list",
        "suggestions": ["y"],
        "field": "model",
    }
    assert msgspec.to_builtins(error_reply(UnknownModel("x"))).keys() == {"status", "message", "code"}


@pytest.mark.parametrize(
    ("error", "code", "part"),
    [
        (ValueError("bad\nshape"), "internal", "ValueError: bad shape."),
        (ValueError("No."), "internal", "ValueError: No."),
        (SystemExit(3), "internal", "SystemExit: 3"),
        (KeyError(), "internal", "KeyError"),
        (MemoryError(), "out_of_memory", "not enough memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory", "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory", "not enough memory"),
        (
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
            "out_of_memory",
            "not enough",
        ),
        (
            RuntimeError("level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)"),
            "out_of_memory",
            "",
        ),
        (
            RuntimeError("CUDA error: unspecified launch failure\nCompile with"),
            "device_lost",
            "CUDA error: unspecified launch failure. Only",
        ),
        (RuntimeError("level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)"), "device_lost", "lost"),
        (DeviceLost("It is gone."), "device_lost", "It is gone."),
        (ValueError("unspecified launch failure"), "internal", "ValueError"),
        (RuntimeError("CUDA error: invalid argument"), "internal", "invalid argument"),
        (RuntimeError("shape mismatch"), "internal", "shape mismatch"),
        (ValueError("the value is out of memory range"), "internal", "ValueError"),
    ],
)
def test_other_exceptions_are_named_in_one_line(error, code, part):
    """With the code for what was not foreseen, but for memory."""
    told = error_reply(error)
    assert told.code == code
    assert part in told.message
    assert "\n" not in told.message
    assert not told.message.endswith("..")


def test_tracebacks_are_told_on_request_only():
    """With the place where it happened."""
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert "test_failures.py" in error_reply(caught.value, debug=True).traceback
    assert error_reply(caught.value).traceback is msgspec.UNSET
