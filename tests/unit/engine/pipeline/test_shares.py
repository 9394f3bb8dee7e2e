"""A song in shares: whoever separates a part of it gets the samples of the whole, and joined they are its files."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from live_case import FORMATS, FRAMES, RATE, Louder, arranged, separate, write_noise

from utils.core.errors import DsuError, InvalidRequest
from utils.core.job import Job, JobCancelled
from utils.core.peaks import PeakRange
from utils.core.requests import Apollo, DsuSeparate, PipedInput, Preview, Separate, SongShare
from utils.engine.pipeline.blending import SpectrumBlend, WaveBlend, middle
from utils.engine.pipeline.chunking import plan_faded, plan_triangular
from utils.engine.pipeline.demix import Compute, Lane
from utils.engine.pipeline.song import Scale, SongBuffer

CASES = {
    **FORMATS,
    "loudness": {"format": "flac", "loudness": -20.0},
    "excerpt": {"pcm_type": "FLOAT", "preview": Preview(start=0.25, duration=1.1)},
    "all in one": {"format": "mka"},
}


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("song") / "song.wav")


def shared(song, folder, of, arrangement=None, **fields):
    """The files of the shares as `shares` wants them."""
    return [
        separate(
            song, folder / str(number), arrangement=arrangement, share=SongShare(number=number, of=of), **fields
        ).paths
        for number in range(1, of + 1)
    ]


def contents(done):
    return {name: Path(path).read_bytes() for name, path in done.paths.items()}


@pytest.mark.parametrize("case", CASES)
def test_joined_shares_are_the_files_of_one_job(song, tmp_path, case):
    """Byte by byte, in every format, with one gain for all; and the reply tells the same."""
    fields = dict(CASES[case])
    if case == "mono":
        samples, rate = soundfile.read(song)
        song = tmp_path / "song.wav"
        soundfile.write(song, samples[:, 0], rate, subtype="FLOAT")
    plain = separate(song, tmp_path / "plain", **fields)
    shares = shared(song, tmp_path, 3, **fields)
    joined = separate(song, tmp_path / "joined", shares=shares, **fields)
    assert contents(joined) == contents(plain)
    for name in ("gain", "duration", "sample_rate", "stems", "settings", "files"):
        assert getattr(joined, name) == getattr(plain, name), name


def many_lanes(heard):
    """Chunks of several lengths that overlap in several ways, with and without context, and a scale of the whole song."""
    total = heard.stats.frames
    return [
        Lane(Louder(), plan_faded(total, chunk=5000, overlaps=4), np.ones(2), mirrored=True),
        Lane(
            Louder(),
            plan_triangular(total, chunk=7001, overlap=0.25, origin=-313),
            np.ones(2) / 3,
            scale=Scale.of(heard.stats),
        ),
        Lane(Wide(), plan_triangular(total, chunk=1500, overlap=0.5), np.ones(2) / 7, bounded=True),
    ]


class Wide(Louder):
    """It hears more than it says something of."""

    def input_length(self, length):
        return length + 3000


@pytest.mark.parametrize("of", [1, 2, 7, 40])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_all_cuts_give_the_samples_of_the_whole(song, tmp_path, of, batch_size):
    """Wherever the borders are, and whatever chunks run together: sample by sample."""
    arrangement = arranged(lanes=many_lanes, compute=Compute("cpu", 1, batch_size))
    whole = separate(song, tmp_path / "whole", arrangement=arrangement, pcm_type="FLOAT", clip="none")
    shares = shared(song, tmp_path, of, arrangement)
    for stem, path in whole.paths.items():
        parts = [soundfile.read(share[stem], dtype="float32")[0] for share in shares]
        assert [len(part) for part in parts] == [FRAMES * i // of - FRAMES * (i - 1) // of for i in range(1, of + 1)]
        assert np.array_equal(np.concatenate(parts), soundfile.read(path, dtype="float32")[0])


def test_a_share_computes_only_what_it_needs(song, tmp_path):
    """A tenth of the song takes about a tenth of the chunks."""
    counted = []

    class Counting(Louder):
        def __call__(self, mix):
            counted.append(len(mix))
            return super().__call__(mix)

    arrangement = arranged(
        lanes=lambda heard: [
            Lane(Counting(), plan_faded(heard.stats.frames, chunk=1000, overlaps=2), np.ones(2), mirrored=True)
        ]
    )
    separate(song, tmp_path / "whole", arrangement=arrangement)
    whole = sum(counted)
    counted.clear()
    separate(song, tmp_path / "share", arrangement=arrangement, share=SongShare(number=6, of=10))
    assert whole / 10 <= sum(counted) <= whole / 10 + 4


def test_the_song_before_a_share_is_not_kept():
    """Blocks that nobody will read go by."""
    blocks = (np.full((2, 100), number, np.float32) for number in range(1000))
    song = SongBuffer(blocks, channels=2, total=100_000)
    song.forget_before(90_050)
    assert np.array_equal(song.read(90_050, 100)[0], np.repeat([900.0, 901.0], 50).astype(np.float32))
    assert song._kept.shape[1] <= 400


def test_the_shortest_song_has_a_sample_for_each_share(tmp_path):
    """More shares than samples are an error."""
    song = write_noise(tmp_path / "song.wav", frames=3)
    whole = separate(song, tmp_path / "whole")
    assert contents(separate(song, tmp_path / "joined", shares=shared(song, tmp_path, 3))) == contents(whole)
    with pytest.raises(InvalidRequest, match="3 samples, too few for 4 shares"):
        shared(song, tmp_path, 4)


def test_chunks_as_long_as_the_song_are_not_shared(song, tmp_path):
    """Each worker would do all of it."""
    with pytest.raises(InvalidRequest) as refused:
        separate(song, tmp_path, arrangement=arranged(fits_length=True), share=SongShare(number=1, of=2))
    assert refused.value.field == "share"


def test_a_share_says_what_it_is(song, tmp_path):
    """Floats at the model's rate whatever is asked for, of the length of the share."""
    done = separate(
        song, tmp_path, share=SongShare(number=1, of=4), format="flac", output_sample_rate=16000, loudness=-30.0
    )
    for path in done.paths.values():
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.samplerate, info.frames) == ("WAV", "FLOAT", RATE, FRAMES // 4)
    assert done.duration == pytest.approx(0.5, abs=0.001)
    assert done.gain == 1.0


def test_silence_has_silent_shares(tmp_path):
    """No network runs, and each has its length."""
    soundfile.write(tmp_path / "song.wav", np.zeros((FRAMES, 2)), RATE)
    shares = shared(tmp_path / "song.wav", tmp_path, 2)
    done = separate(tmp_path / "song.wav", tmp_path / "out", shares=shares)
    assert all(
        len(samples) == FRAMES and not samples.any()
        for samples in (soundfile.read(path)[0] for path in done.paths.values())
    )


def test_work_from_start_to_end_has_no_shares(song, tmp_path):
    """A blend that remembers says so; one of single samples can, and so can a level that is found first."""
    with pytest.raises(InvalidRequest) as refused:
        separate(
            song,
            tmp_path / "no",
            arrangement=arranged(blend=lambda _: SpectrumBlend(1, middle)),
            share=SongShare(number=1, of=2),
        )
    assert refused.value.field == "share"
    assert not (tmp_path / "no").exists()
    for fields in ({"blend": lambda _: WaveBlend(1, middle)}, {"level": PeakRange(0.1, 0.5)}):
        arrangement = arranged(**fields)
        plain = separate(song, tmp_path / "plain", arrangement=arrangement)
        joined = separate(
            song, tmp_path / "joined", arrangement=arrangement, shares=shared(song, tmp_path, 2, arrangement)
        )
        assert contents(joined) == contents(plain)


def test_what_does_not_fit_is_refused(song, tmp_path):
    """Shares that are missing, of other stems, of unequal lengths, or not there: one error each, and no file."""
    shares = shared(song, tmp_path, 3)
    short = [shares[0], {**shares[1], "soft": shares[2]["soft"] + ".no"}, shares[2]]
    for wrong, kind, word in (
        (shares[:2], InvalidRequest, "but the song has"),
        ([{"loud": shares[0]["loud"]}, *shares[1:]], InvalidRequest, "Share 1 does not have the stems"),
        (short, DsuError, "soft.wav.no"),
    ):
        with pytest.raises(kind, match=word):
            separate(song, tmp_path / "out", shares=wrong)
    soundfile.write(tmp_path / "short.wav", np.zeros((5, 2)), RATE, subtype="FLOAT")
    with pytest.raises(InvalidRequest, match="of the same length"):
        separate(song, tmp_path / "out", shares=[{**shares[0], "soft": str(tmp_path / "short.wav")}, *shares[1:]])
    assert not (tmp_path / "out").exists()


def test_requests_that_cannot_share_say_why():
    """Each with the field that is to be left out."""
    share = SongShare(number=1, of=2)
    for request, field, word in (
        (Separate(input="a", share=share, shares=[{"a": "b"}]), "share", "joins them all"),
        (Separate(input="a", share=share, stream=True), "share", "listen"),
        (Separate(inputs=["a"], share=share), "share", "several"),
        (Separate(inputs=["a"], shares=[{"a": "b"}]), "shares", "several"),
        (Separate(input=PipedInput(pipe="p", sample_rate=44100, channels=2), share=share), "share", "must be a file"),
        (Apollo(input="a", output="b.wav", share=share), "share", "names one file"),
        (DsuSeparate(input="a", recipe="karaoke", share=share), "share", "recipe"),
        (Separate(input="a", share=SongShare(number=3, of=2)), "share", "at most"),
    ):
        with pytest.raises(InvalidRequest, match=word) as refused:
            request.check_sharing()
        assert refused.value.field == field
    Separate(input="a", share=share).check_sharing()
    Separate(input="a").check_sharing()


def test_cancelling_leaves_nothing(song, tmp_path):
    """Neither of a share nor of a join."""
    shares = shared(song, tmp_path, 2)
    for fields in ({"share": SongShare(number=2, of=2)}, {"shares": shares}):

        class Impatient:
            def __init__(self):
                self.job = Job(lambda _: self.job.cancel())

            def __enter__(self):
                return self

            def __exit__(self, *_): ...

        with pytest.raises(JobCancelled):
            separate(song, tmp_path / "out", Impatient(), **fields)
        assert not (tmp_path / "out").exists()
