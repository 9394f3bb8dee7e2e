"""Outputs are sums of stems and mix, and the model computes only the stems they need."""

import numpy as np
import pytest

from utils.core.errors import InvalidRequest
from utils.engine.pipeline.outputs import Complement, select

STEMS = ("drums", "bass", "other", "vocals")


def choose(stems=None, two_stems=None, other_method="minus"):
    return select(STEMS, stems=stems, two_stems=two_stems, other_method=other_method)


def test_all_stems_by_default():
    """By default every stem is written, in the model's order."""
    selection = choose()
    assert selection.names == list(STEMS)
    assert selection.needed == (0, 1, 2, 3)


def test_chosen_stems_in_the_models_order():
    """Names are found ignoring case, once each."""
    selection = choose(stems=["Vocals", "drums", "vocals"])
    assert selection.names == ["drums", "vocals"]
    assert selection.needed == (0, 3)


@pytest.mark.parametrize(("method", "needed"), [("minus", (3,)), ("none", (3,)), ("add", (0, 1, 2, 3))])
def test_two_stems_needs_only_what_its_method_adds(method, needed):
    """The rest as mix minus stem needs one stem; as a sum, it needs all."""
    assert choose(two_stems="vocals", other_method=method).needed == needed


def test_mix_minus_stem_is_exact():
    """Stem and rest sum to the mix, sample for sample."""
    selection = choose(two_stems="vocals").narrowed()
    rng = np.random.default_rng(0)
    mix, vocals = rng.standard_normal((2, 2, 500)).astype(np.float32)
    stem, rest = (output.render(vocals[None], mix) for output in selection.outputs)
    assert selection.names == ["vocals", "no_vocals"]
    np.testing.assert_array_equal(stem, vocals)
    np.testing.assert_array_equal(rest, mix - vocals)


def test_added_rest_is_the_sum_of_the_others():
    """`add` sums the other stems."""
    selection = choose(two_stems="bass", other_method="add").narrowed()
    stems = np.random.default_rng(0).standard_normal((4, 2, 100)).astype(np.float32)
    rest = selection.outputs[1].render(stems, np.zeros((2, 100), np.float32))
    np.testing.assert_allclose(rest, stems[[0, 2, 3]].sum(0), rtol=1e-6, atol=1e-6)


def test_an_unknown_stem_names_the_nearest():
    """A typo is an error with a suggestion and the list."""
    with pytest.raises(InvalidRequest) as caught:
        choose(stems=["vocal"])
    assert caught.value.suggestions == ("vocals",)
    assert caught.value.field == "stems"
    assert "drums, bass, other, vocals" in caught.value.message


@pytest.mark.parametrize("wish", [{"stems": []}, {"stems": ["bass"], "two_stems": "vocals"}])
def test_contradictory_wishes_are_refused(wish):
    """No stems at all, or two ways of choosing at once, is an error."""
    with pytest.raises(InvalidRequest):
        choose(**wish)


# The complement ---------------------------------------------------------------------------------------------------

INSTRUMENTAL = Complement("instrumental", (3,))


def chosen(**fields):
    options = {"stems": None, "two_stems": None, "complement": INSTRUMENTAL, **fields}
    return select(STEMS, **options)


def test_the_complement_is_written_on_request():
    """The complement comes after the stems, or alone, and makes its stems needed."""
    assert chosen().names == list(STEMS)
    assert chosen(with_complement=True).names == [*STEMS, "instrumental"]
    alone = chosen(stems=["Instrumental"])
    assert (alone.names, alone.needed) == (["instrumental"], (3,))
    both = chosen(stems=["bass", "instrumental"])
    assert (both.names, both.needed) == (["bass", "instrumental"], (1, 3))


def test_a_stem_of_the_same_name_is_the_stem_unless_the_complement_is_requested():
    """The model's own `instrumental` is what `stems` means; `extract_instrumental` puts the exact one in its place."""
    own = ["vocals", "Instrumental"]
    complement = Complement("instrumental", (0,))
    plain = select(own, stems=["instrumental"], two_stems=None, complement=complement)
    assert (plain.names, plain.needed) == (["Instrumental"], (1,))
    exact = select(own, stems=None, two_stems=None, complement=complement, with_complement=True)
    assert (exact.names, exact.needed) == (["vocals", "instrumental"], (0,))


def test_the_complement_is_the_mix_minus_its_stems():
    """The equality is sample-exact."""
    rng = np.random.default_rng(0)
    stems, mix = rng.standard_normal((4, 2, 10)).astype(np.float32), rng.standard_normal((2, 10)).astype(np.float32)
    rest = Complement("rest", (0, 2)).output(4)
    np.testing.assert_allclose(rest.render(stems, mix), mix - stems[0] - stems[2], atol=1e-6)


def test_without_a_complement_its_name_is_unknown():
    """Without a complement, its name is an unknown stem."""
    with pytest.raises(InvalidRequest):
        chosen(stems=["instrumental"], complement=None)
