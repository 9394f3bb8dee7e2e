"""The text side of AudioSep against the transformers library, and what the engine may expect of it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from audiosep_case import fill

from models.audiosep.roberta import RobertaParams, read_params, read_tokenizer
from models.audiosep.text import ClapText, TextEncoder
from tools.fixtures.audiosep import write_audiosep
from utils.core.errors import CheckpointMismatch
from utils.store.checkpoints import assign, read_checkpoint, unwrap_state

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
TEXTS = (
    "drums",
    "a singing voice",
    "Vocals and drums, loudly!",
    "déjà vu \N{EYES}",
    "  two  spaces\n",
    "<mask> <pad>",
    "",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_audiosep(tmp_path_factory.mktemp("audiosep"))


@pytest.fixture(scope="module")
def encoder(files):
    return TextEncoder.from_files(files.clap_checkpoint, files.roberta_dir, fill=fill)


@pytest.fixture
def roberta_dir(files, tmp_path):
    """A copy of the folder, to be spoilt."""
    return shutil.copytree(files.roberta_dir, tmp_path / "roberta")


def library_tokenizer(files):
    from transformers import RobertaTokenizer

    return RobertaTokenizer(vocab=str(files.roberta_dir / "vocab.json"), merges=str(files.roberta_dir / "merges.txt"))


def tokenizer_of(roberta_dir):
    return read_tokenizer(roberta_dir, read_params(roberta_dir))


def library_twin(files, net):
    """The library's own network for the text half of CLAP, with the same weights."""
    from transformers import ClapTextConfig, ClapTextModelWithProjection

    sizes = asdict(read_params(files.roberta_dir))
    twin = ClapTextModelWithProjection(ClapTextConfig(**sizes, projection_dim=512, projection_hidden_act="relu"))
    names = {"text_branch.": "text_model.", "text_projection.0": "text_projection.linear1"}
    names["text_projection.2"] = "text_projection.linear2"
    state = twin.state_dict()
    for key, tensor in net.state_dict().items():
        start = next(start for start in names if key.startswith(start))
        state[names[start] + key.removeprefix(start)] = tensor
    twin.load_state_dict(state)
    return twin.eval()


def test_embeddings_are_those_of_the_library(files, encoder):
    """The library's network with the same weights gives the same, from texts that it fills up to one length."""
    tokens = library_tokenizer(files)(list(TEXTS), padding="max_length", max_length=64, return_tensors="pt")
    with torch.no_grad():
        raw = library_twin(files, encoder.net)(**tokens).text_embeds
    reference = torch.nn.functional.normalize(raw, dim=-1)
    torch.testing.assert_close(encoder.embed(TEXTS), reference, atol=1e-6, rtol=0)
    assert (reference[0] @ reference[1]) < 0.99


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_are_those_of_the_library(files, text):
    """Both forms of the tokenizer cut a text as the library does."""
    library = library_tokenizer(files)
    assert tokenizer_of(files.roberta_dir).encode(text).ids == library(text)["input_ids"]


def test_a_tokenizer_in_one_file_is_as_good(files, roberta_dir):
    """Where the original's two files are missing, the library's one file is read."""
    original = tokenizer_of(roberta_dir)
    library_tokenizer(files).save_pretrained(roberta_dir)
    (roberta_dir / "vocab.json").unlink()
    (roberta_dir / "merges.txt").unlink()
    other = tokenizer_of(roberta_dir)
    assert [other.encode(text).ids for text in TEXTS] == [original.encode(text).ids for text in TEXTS]


def test_pairs_are_joined(files):
    """Known pairs of characters become one token, between a mark for the start and one for the end."""
    encoded = tokenizer_of(files.roberta_dir).encode("and vocals")
    assert encoded.tokens == ["<s>", "and", "Ġvocal", "s", "</s>"]


def test_a_text_gives_the_same_alone_and_among_others(files, encoder):
    """What a text's embedding is does not depend on what is asked with it or was asked before."""
    together = encoder.embed(TEXTS)
    fresh = TextEncoder.from_files(files.clap_checkpoint, files.roberta_dir, fill=fill)
    for index, text in reversed(list(enumerate(TEXTS))):
        torch.testing.assert_close(fresh.embed([text])[0], together[index], atol=0, rtol=0)


def test_embeddings_have_length_one(encoder):
    """They are (texts, 512) in single precision, also inside of somebody's half precision."""
    usual = encoder.embed(["drums"])
    with torch.autocast("cpu", torch.bfloat16):
        inside = encoder.embed(["bass", "a flute"])
    assert usual.shape == (1, 512)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside.norm(dim=-1), torch.ones(2))


def test_half_precision_around_it_changes_nothing(files, encoder):
    """The text side computes in single precision, wherever it is called."""
    fresh = TextEncoder.from_files(files.clap_checkpoint, files.roberta_dir, fill=fill)
    with torch.autocast("cpu", torch.bfloat16):
        inside = fresh.embed(["drums"])
    torch.testing.assert_close(inside, encoder.embed(["drums"]), atol=0, rtol=0)


def test_a_text_is_run_once(files):
    """Asking again for a text does not run the network again."""
    encoder = TextEncoder.from_files(files.clap_checkpoint, files.roberta_dir, fill=fill)
    runs = []
    encoder.net.register_forward_hook(lambda *_: runs.append(1))
    encoder.embed(["drums", "bass", "drums"])
    encoder.embed(["bass"])
    assert len(runs) == 2


def test_what_is_embedded_can_be_used_anywhere(encoder):
    """Embeddings made in inference mode can be written to and differentiated later."""
    with torch.inference_mode():
        encoder.embed(["a cello"])
    again = encoder.embed(["a cello"])
    again += 1
    (torch.ones(512, requires_grad=True) * again).sum().backward()
    torch.testing.assert_close(encoder.embed(["a cello"]).norm(dim=-1), torch.ones(1))


def test_long_texts_are_cut(encoder):
    """Of a text with more tokens than the transformer has positions, the beginning counts."""
    words = "drums and bass " * 50
    torch.testing.assert_close(encoder.embed([words]), encoder.embed([words + "and vocals"]), atol=0, rtol=0)


def test_the_checkpoint_of_audiosep_holds_the_text_side_too(files, encoder):
    """The same weights lie below `query_encoder.` in the separator's checkpoint."""
    other = TextEncoder.from_files(files.checkpoint, files.roberta_dir, fill=fill)
    torch.testing.assert_close(other.embed(["drums"]), encoder.embed(["drums"]), atol=0, rtol=0)


def test_only_the_text_half_is_taken(encoder):
    """Of CLAP's layers, those for sounds and older files' tables are left where they are."""
    own = encoder.net.state_dict()
    strange = {"text_branch.embeddings.position_ids": 0, "audio_branch.text_branch": 0, "text_transform.0.weight": 0}
    taken = encoder.net.complete_state({f"module.{key}": value for key, value in {**own, **strange}.items()})
    assert taken.keys() == own.keys()


def test_weights_stay_where_they_were_read(files):
    """The network's tensors are those that were read, which are the file itself: there is no second copy."""
    read = {}

    def fill_and_remember(net, path):
        tensors = net.complete_state(unwrap_state(read_checkpoint(path, allow=net.PICKLED_WITH), path))
        assign(net, tensors, path=path)
        read.update(tensors)

    encoder = TextEncoder.from_files(files.clap_checkpoint, files.roberta_dir, fill=fill_and_remember)
    own = encoder.net.state_dict()
    assert {key: own[key].data_ptr() for key in own} == {key: read[key].data_ptr() for key in read}


def test_the_public_sizes_make_the_public_network():
    """RoBERTa of the base size has as many values as it is known to have, with its pooler."""
    with torch.device("meta"):
        net = ClapText(RobertaParams())
    assert sum(tensor.numel() for tensor in net.text_branch.state_dict().values()) == 124_645_632
    assert sum(tensor.numel() for tensor in net.text_projection.state_dict().values()) == 769 * 512 + 513 * 512


# Imports and the network -------------------------------------------------------------------------------------------------


def python(code, *arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_nothing_is_fetched(files):
    """From the import to the embedding no address is looked up or connected to, nothing is said, and neither the library
    that the tests compare with nor a client of its hub is needed.
    """
    code = """
import sys
from pathlib import Path
def refuse(event, args):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request")):
        raise RuntimeError(f"{event} {args}")
sys.addaudithook(refuse)
sys.path.insert(0, "tests/aids")
from audiosep_case import fill
from models.audiosep.text import TextEncoder
TextEncoder.from_files(Path(sys.argv[1]), Path(sys.argv[2]), fill=fill).embed(["drums"])
assert not {"transformers", "huggingface_hub"} & sys.modules.keys()
"""
    done = python(code, files.clap_checkpoint, files.roberta_dir)
    assert done.stdout + done.stderr == ""


# Errors ------------------------------------------------------------------------------------------------------------------


def build(files, roberta_dir):
    return TextEncoder.from_files(files.clap_checkpoint, roberta_dir, fill=fill)


@pytest.mark.parametrize(("missing", "named"), [("config.json", "config.json"), ("vocab.json", "no tokenizer")])
def test_a_missing_file_is_named(files, roberta_dir, missing, named):
    """A folder without one of its files is an error that says which, or what to put there."""
    (roberta_dir / missing).unlink()
    with pytest.raises(FileNotFoundError, match=named):
        build(files, roberta_dir)


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("config.json", "{", "not JSON"),
        ("config.json", "[]", "one object"),
        ("config.json", '{"model_type": "bert"}', "`model_type` roberta"),
        ("config.json", '{"model_type": "roberta"}', "`roberta.vocab_size`"),
        ("config.json", '{"model_type": "roberta", "vocab_size": true}', "`roberta.vocab_size`"),
        ("vocab.json", "\xff", "not JSON"),
        ("vocab.json", '{"a": 0}', "lacks `<s>`"),
        ("merges.txt", "#version: 0.2\nq q\n", "merges.txt"),
    ],
)
def test_a_damaged_file_is_named(files, roberta_dir, name, text, named):
    """A file that is not what it should be is an error that names it."""
    (roberta_dir / name).write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=named):
        build(files, roberta_dir)


def test_a_damaged_tokenizer_is_named(files, roberta_dir):
    """The one file of the library is checked as well."""
    (roberta_dir / "vocab.json").unlink()
    (roberta_dir / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        build(files, roberta_dir)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vocab_size", 50),  # fewer than the tokenizer knows
        ("num_attention_heads", 5),  # which do not divide the width
        ("hidden_size", 0),
        ("max_position_embeddings", 3),
        ("hidden_act", "relu"),
        ("layer_norm_eps", "small"),
    ],
)
def test_sizes_that_cannot_be_are_refused(files, roberta_dir, key, value):
    """A configuration of no RoBERTa is an error that names the key."""
    change(roberta_dir, **{key: value})
    with pytest.raises(ValueError, match=f"[`.]{key}`"):
        build(files, roberta_dir)


def test_weights_of_other_sizes_are_refused(files, roberta_dir):
    """A checkpoint that does not fit the folder's sizes is a mismatch."""
    change(roberta_dir, num_hidden_layers=3)
    with pytest.raises(CheckpointMismatch, match=r"text_branch\.encoder\.layer\.2"):
        build(files, roberta_dir)


def change(roberta_dir, **values):
    path = roberta_dir / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")
