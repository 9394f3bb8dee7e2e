"""Reading sections of public configurations."""

import pytest

from models.blocks.sections import Section, output_names


def section(**values):
    return Section({"model": values}, "model")


def test_values_are_returned_with_their_types():
    """Each reader returns what the configuration says, lists as tuples."""
    model = section(dim=3, win=2.5, on=False, act="gelu", dims=[1, 2], parts=[0.5, 1], sources=["a"])
    assert model.integer("dim") == 3
    assert model.number("win") == 2.5
    assert model.switch("on", default=True) is False
    assert model.text("act") == "gelu"
    assert model.integers("dims") == (1, 2)
    assert model.numbers("parts") == (0.5, 1)
    assert model.names("sources") == ("a",)


def test_defaults_stand_in_for_missing_keys():
    """A key that is not there has its default."""
    assert section().integer("dim", 7) == 7
    assert section().integers("dims", (1, 2)) == (1, 2)


def test_a_missing_key_without_default_is_named():
    """A key that must be there and is not is an error that says so."""
    with pytest.raises(ValueError, match=r"`model\.dim` must be a whole number.*missing"):
        section().integer("dim")


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None, [3], 10**9, 10**4000])
def test_what_is_no_count_is_refused(value):
    """A whole number of at least 1 is nothing else."""
    with pytest.raises(ValueError, match=r"`model\.dim`"):
        section(dim=value).integer("dim")


@pytest.mark.parametrize("value", [0, -0.5, True, "3", None, float("nan"), float("inf"), 1e308])
def test_what_is_no_positive_number_is_refused(value):
    """A number above 0 is nothing else."""
    with pytest.raises(ValueError, match=r"`model\.win`"):
        section(win=value).number("win")


def test_unknown_keys_are_named():
    """A key that is neither known nor ignored is an error that names it."""
    with pytest.raises(ValueError, match=r"`model\.dimm`"):
        section(dim=1, dimm=2).reject_unknown(["dim"])


def test_keys_without_influence_are_accepted():
    """Known keys, ignored ones, and those of training pass."""
    section(dim=1, name="x", use_torch_checkpoint=True, sage_attention=False).reject_unknown(
        (key for key in ["dim"]), ["name"]
    )


@pytest.mark.parametrize("config", [{}, {"model": None}, {"model": [1]}])
def test_a_missing_section_is_named(config):
    """A configuration without the section is an error that names it."""
    with pytest.raises(ValueError, match="no section `model`"):
        Section(config, "model")


def test_outputs_are_the_target_or_all_instruments_in_order():
    """A target instrument is the only output; else every instrument is one."""
    instruments = ["drums", "bass"]
    assert output_names({"training": {"instruments": instruments, "target_instrument": "bass"}}) == ("bass",)
    assert output_names({"training": {"instruments": instruments, "target_instrument": None}}) == ("drums", "bass")
