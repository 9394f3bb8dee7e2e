"""Files that hold the mix and all stems: every track whole, in its place, and named."""

import io
import json
import struct
import threading
from pathlib import Path

import av
import mutagen
import numpy as np
import pytest
from sounds import RATE, noise, read, sdr, tones

from utils.audio.encoders import Contents, open_encoder
from utils.audio.formats import OutputFormat
from utils.audio.stem_atom import add_stem_atom, stem_description
from utils.audio.tagging import Cover, Tags, TagSet, is_own_stem, read_tags
from utils.audio.writing import open_stems
from utils.core import cleanup
from utils.core.errors import OutputNotWritable, UnsupportedFormat
from utils.core.job import JobCancelled

FRAMES = 90_001
TRACKS = ("the mix", "drums", "bass", "other", "vocals")
LOSSLESS = [
    *(("stem.m4a", "PCM_16"), ("stem.m4a", "PCM_24")),
    *(("mka", "PCM_16"), ("mka", "PCM_24"), ("mka", "PCM_32"), ("mka", "FLOAT")),
]
LOSSY = [("stem.m4a", None), ("mka", None)]


def output(name, sample_type=None, *, rate=48000, clip="rescale", bitrate=192):
    return OutputFormat(name, sample_type, bitrate if sample_type is None else None, rate, clip)


def sounds_of(frames=FRAMES, channels=2, peak=0.2):
    """Four stems of noise and their sum."""
    stems = {name: noise(frames, channels, peak=peak, seed=seed) for seed, name in enumerate(TRACKS[1:])}
    return {TRACKS[0]: sum(stems.values()), **stems}


def joint(folder, names, wanted, *, file=None, **kwargs):
    target = file or folder / f"song.{wanted.name}"
    defaults = {"model_rate": wanted.sample_rate, "channels": 2, "frames": FRAMES, "tags": None}
    return open_stems(dict.fromkeys(names, target), folder=folder, output=wanted, **(defaults | kwargs))


def fill(stems, sounds, block=20_000):
    for start in range(0, max(sound.shape[1] for sound in sounds.values()), block):
        for name, sound in sounds.items():
            stems.write(name, sound[:, start : start + block])


def save(folder, sounds, wanted, **kwargs):
    with joint(folder, tuple(sounds), wanted, **kwargs) as stems:
        fill(stems, sounds)
        return stems.commit()


def track(path, index):
    """The samples of one track as the format has them, priming and padding removed."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[index]
        limit = stream.duration if container.format.name.startswith("mov") else None
        blocks = []
        for frame in container.decode(stream):
            array = frame.to_ndarray()
            array = array if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels).T
            full = 1.0 if array.dtype.kind == "f" else -float(np.iinfo(array.dtype).min)
            blocks.append((array / full).astype(np.float64))
        return np.concatenate(blocks, axis=1)[:, :limit]


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def atoms(data, *path):
    """The contents of the atoms of this path, found by sizes and names alone."""
    found, start = [], 0
    while start < len(data):
        size, name = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, start + 8), 16
        if name == path[0]:
            content = data[start + head : start + size]
            found += atoms(content, *path[1:]) if path[1:] else [content]
        start += size
    return found


# Samples ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("name", "sample_type"), LOSSLESS)
def test_lossless_tracks_hold_every_bit(tmp_path, name, sample_type, channels):
    """Each its own stem, in the order given, half a step off at most."""
    sounds = sounds_of(channels=channels)
    written = save(tmp_path, sounds, output(name, sample_type, clip="none"), channels=channels)
    assert set(written.paths.values()) == {tmp_path / f"song.{name}"}
    bits = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 25}.get(sample_type, 25)
    for index, sound in enumerate(sounds.values()):
        found = track(tmp_path / f"song.{name}", index)
        assert found.shape == sound.shape
        assert np.abs(found - sound).max() <= 2.0**-bits


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize(("name", "sample_type"), LOSSY)
def test_lossy_tracks_keep_length_and_place(tmp_path, name, sample_type, rate):
    """All start together and end with the song, although their codec adds samples."""
    wanted = output(name, sample_type, rate=rate)
    frames = FRAMES if wanted.file_rate == rate else round(FRAMES * wanted.file_rate / rate)
    sounds = {stem: tones(FRAMES, rate=rate, peak=0.1 * (1 + index)) for index, stem in enumerate(TRACKS)}
    save(tmp_path, sounds, wanted)
    for index in range(len(TRACKS)):
        found = track(tmp_path / f"song.{name}", index)
        assert found.shape == (2, frames)
        assert sdr(tones(frames, rate=wanted.file_rate, peak=0.1 * (1 + index)), found) > 20


@pytest.mark.parametrize("frames", [700, 1023, 1024, 1025, 4095, 4096, 4097])
@pytest.mark.parametrize(("name", "sample_type"), LOSSLESS + LOSSY)
def test_short_songs_have_their_exact_length(tmp_path, name, sample_type, frames):
    """Around the codecs' own frames."""
    save(tmp_path, {stem: tones(frames, rate=48000) for stem in TRACKS}, output(name, sample_type), frames=frames)
    assert {track(tmp_path / f"song.{name}", index).shape for index in range(5)} == {(2, frames)}


@pytest.mark.parametrize(("name", "sample_type"), LOSSLESS + LOSSY)
def test_the_same_job_gives_the_same_bytes(tmp_path, name, sample_type):
    """However the samples come; other samples give other bytes."""
    tags = TagSet(Tags({"title": ("a",)}, Cover(b"picture", "image/jpeg")), "m", "1")
    runs = [
        save_blocks(tmp_path / str(index), output(name, sample_type, clip="clamp"), block, peak, tags=tags)
        for index, (block, peak) in enumerate([(20_000, 0.2), (20_000, 0.2), (777, 0.2), (20_000, 0.1)])
    ]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0] != runs[3]


def save_blocks(folder, wanted, block, peak, **kwargs):
    with joint(folder, TRACKS, wanted, **kwargs) as stems:
        fill(stems, sounds_of(peak=peak), block)
        stems.commit()
    return (folder / f"song.{wanted.name}").read_bytes()


def test_an_hour_has_every_sample(tmp_path):
    """Counted in what comes back, and stated."""
    frames = 3600 * 8000 + 100
    wanted = output("mka", "PCM_16", rate=8000)
    encoder = open_encoder(tmp_path / "a.mka", wanted, channels=1, frames=frames, contents=Contents(("the mix",)))
    silence = np.zeros((1 << 20, 1), np.float32)
    for start in range(0, frames, len(silence)):
        encoder.write(silence[: frames - start])
    encoder.close()
    with av.open(str(tmp_path / "a.mka")) as container:
        assert container.duration / av.time_base == pytest.approx(frames / 8000, abs=0.001)
        assert sum(frame.samples for frame in container.decode(audio=0)) == frames


def test_stems_are_resampled_in_step(tmp_path):
    """At another rate every track has the frames asked for."""
    frames = round(FRAMES * 48000 / RATE)
    sounds = {name: tones(FRAMES) for name in TRACKS}
    save(tmp_path, sounds, output("stem.m4a", "PCM_24"), model_rate=RATE, frames=frames)
    for index in range(5):
        found = track(tmp_path / "song.stem.m4a", index)
        assert found.shape == (2, frames)
        assert sdr(tones(frames, rate=48000)[:, 2000:-2000], found[:, 2000:-2000]) > 60


# Clipping -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "sample_type"), [("stem.m4a", "PCM_16"), ("mka", "PCM_24")])
def test_one_gain_for_the_mix_and_all_stems(tmp_path, name, sample_type):
    """So that the stems still sum to the mix, of which no sample is cut off."""
    sounds = sounds_of(peak=0.6)
    written = save(tmp_path, sounds, output(name, sample_type))
    assert written.gain == pytest.approx(1 / np.abs(sounds["the mix"]).max(), rel=1e-4)
    assert "so that none of them clips" in written.warnings[0]
    found = [track(written.paths["drums"], index) for index in range(5)]
    assert np.abs(found[0]).max() < 1.0
    np.testing.assert_allclose(sum(found[1:]), found[0], atol=5 * 2.0**-16)


def test_each_track_may_have_a_gain_of_its_own(tmp_path):
    """What is loud is lowered, the rest stays."""
    sounds = sounds_of(peak=0.6)
    path = save(tmp_path, sounds, output("mka", "PCM_24", clip="rescale_each")).paths["drums"]
    assert np.abs(track(path, 0)).max() == pytest.approx(1 / 1.01, abs=1e-4)
    np.testing.assert_allclose(track(path, 1), sounds["drums"], atol=2.0**-23)


@pytest.mark.parametrize("clip", ["clamp", "none"])
def test_overs_are_limited_or_kept(tmp_path, clip):
    """Floats keep what is above full scale unless it is to be limited."""
    sounds = sounds_of(peak=0.6)
    path = save(tmp_path, sounds, output("mka", "FLOAT", clip=clip)).paths["drums"]
    expected = np.clip(sounds["the mix"], -1, 1) if clip == "clamp" else sounds["the mix"]
    np.testing.assert_array_equal(track(path, 0), expected)


# What the file says of itself -----------------------------------------------------------------------------------------


def test_a_stem_file_is_described(tmp_path):
    """In `moov/udta/stem`, which stands beside the tags; players that know no stems play the mix, the only track enabled."""
    tags = TagSet(Tags({"title": ("Song",)}), "htdemucs", "1.2")
    data = save(tmp_path, sounds_of(), output("stem.m4a"), tags=tags).paths["drums"].read_bytes()
    (description,) = atoms(data, b"moov", b"udta", b"stem")
    described = json.loads(description)
    assert [stem["name"] for stem in described["stems"]] == ["Drums", "Bass", "Other", "Vocals"]
    assert len({stem["color"] for stem in described["stems"]}) == 4
    assert described["version"] == 1
    assert not any(effect["enabled"] for effect in described["mastering_dsp"].values())
    flags = [int.from_bytes(head[:4]) for head in atoms(data, b"moov", b"trak", b"tkhd")]
    assert [flag & 1 for flag in flags] == [1, 0, 0, 0, 0]
    names = [content[24:-1].decode() for content in atoms(data, b"moov", b"trak", b"mdia", b"hdlr")]
    assert names == ["The mix", "Drums", "Bass", "Other", "Vocals"]
    assert data.startswith(b"\0\0\0\x1cftypM4A ")


def test_tracks_of_matroska_have_titles(tmp_path):
    """However many there are, whatever they are called."""
    names = ("the mix", "Gesang - 声 🎵", "x" * 5000, 'a:"b"?\n', *map(str, range(12)))
    save(tmp_path, {name: tones(1000, rate=48000) for name in names}, output("mka", "PCM_16"), frames=1000)
    with av.open(str(tmp_path / "song.mka")) as container:
        titles = [stream.metadata["title"] for stream in container.streams.audio]
    assert titles == [name[:1].upper() + name[1:] for name in names]


def test_odd_names_of_stems_are_described(tmp_path):
    """Long ones, other scripts, quotes."""
    names = ("the mix", "x" * 5000, "声 🎵", '"quoted"', "\u0000\n")
    data = save(tmp_path, {name: tones(1000) for name in names}, output("stem.m4a"), frames=1000).paths["声 🎵"]
    (description,) = atoms(data.read_bytes(), b"moov", b"udta", b"stem")
    assert [stem["name"] for stem in json.loads(description)["stems"]] == ["X" + "x" * 4999, *names[2:]]


@pytest.mark.parametrize(
    "cover", [None, Cover(bytes(range(256)) * 4, "image/png"), Cover(b"j" * (12 << 20), "image/jpeg")]
)
@pytest.mark.parametrize("name", ["stem.m4a", "mka"])
def test_tags_and_cover_come_back(tmp_path, name, cover):
    """No cover, a small one and a big one; the samples are the same as without."""
    texts = {"title": ("Jóga 🎵" * 1000,), "artist": ("Björk",), "album": ("Homogenic",), "date": ("1997-09-22",)}
    texts |= {"albumartist": ("Björk",), "composer": ("B",), "genre": ("Electronic",), "comment": ("two\nlines",)}
    texts |= {
        "tracknumber": ("2/10",),
        "discnumber": ("1/1",),
        "bpm": ("81",),
        "key": ("Am",),
        "isrc": ("GBAAA9700061",),
    }
    sounds = {stem: tones(FRAMES, rate=48000) for stem in TRACKS}
    tags = TagSet(Tags(texts, cover), "htdemucs", "1.2")
    tagged = save(tmp_path / "tagged", sounds, output(name, "PCM_16"), tags=tags).paths["drums"]
    plain = save(tmp_path / "plain", sounds, output(name, "PCM_16")).paths["drums"]
    assert read_tags(tagged) == Tags(texts, cover)
    np.testing.assert_array_equal(track(tagged, 4), track(plain, 4))


def test_several_artists_become_one_text_in_matroska(tmp_path):
    """Which has one value for each name."""
    tags = TagSet(Tags({"artist": ("A", "B")}), "m", "1")
    path = save(tmp_path, sounds_of(), output("mka", "PCM_16"), tags=tags).paths["drums"]
    assert read_tags(path) == Tags({"artist": ("A; B",)})


def test_a_cover_of_an_odd_kind_is_a_jpeg(tmp_path):
    """Matroska gets no type from a file that may say anything."""
    tags = TagSet(Tags({}, Cover(b"picture", "text/html\0; drop")), "m", "1")
    path = save(tmp_path, sounds_of(), output("mka", "PCM_16"), tags=tags).paths["drums"]
    assert read_tags(path).cover == Cover(b"picture", "image/jpeg")


@pytest.mark.parametrize("name", ["stem.m4a", "mka"])
def test_a_joint_file_of_ours_is_known_by_its_tags(tmp_path, name):
    """So that it is not separated again; one of somebody else is a song."""
    tags = TagSet(None, "htdemucs", "1.2")
    own = save(tmp_path / "own", sounds_of(), output(name), tags=tags).paths["drums"]
    other = save(tmp_path / "other", sounds_of(), output(name)).paths["drums"]
    assert is_own_stem(own)
    assert not is_own_stem(other)
    assert "the mix, drums, bass, other, vocals" in str(mutagen.File(own).tags if name != "mka" else metadata(own))


def metadata(path):
    with av.open(str(path)) as container:
        return dict(container.metadata)


@pytest.mark.parametrize("keep", [4, 5, 100, 500, 3000])
def test_a_broken_matroska_file_has_no_tags(tmp_path, keep):
    """Wherever it is cut off, nothing fails."""
    whole = save(tmp_path, sounds_of(), output("mka", "PCM_16"), tags=TagSet(None, "m", "1")).paths["drums"]
    broken = tmp_path / "broken.mka"
    broken.write_bytes(whole.read_bytes()[:keep])
    assert not (read_tags(broken) or Tags()).texts
    broken.write_bytes(whole.read_bytes()[:40] + b"\xff" * keep)
    assert read_tags(broken) is None
    assert not is_own_stem(broken)


def test_as_an_input_it_is_the_mix(tmp_path):
    """The first track is what every reader takes."""
    sounds = sounds_of()
    path = save(tmp_path, sounds, output("stem.m4a", "PCM_24")).paths["drums"]
    np.testing.assert_allclose(read(path, rate=48000), sounds["the mix"], atol=2.0**-23)


class Vast(io.BytesIO):
    """A file with a gap of zeros in it that takes no memory."""

    def __init__(self, data, gap_at, gap):
        super().__init__(data)
        self.gap_at, self.gap = gap_at, gap

    def seek(self, offset, whence=io.SEEK_SET):
        if whence == io.SEEK_SET and offset > self.gap_at:
            offset -= self.gap
        return self._apparent(super().seek(offset, whence))

    def _apparent(self, offset):
        return offset + self.gap if offset > self.gap_at else offset


def test_a_description_comes_behind_more_than_4_gib(tmp_path):
    """Where `mdat` has its size in 64 bits; not a byte of the samples is touched."""
    encoder = open_encoder(tmp_path / "a", output("stem.m4a"), channels=2, frames=FRAMES, contents=Contents(TRACKS))
    for index in range(5):
        encoder.write(tones(FRAMES).T, index)
    encoder.close()
    data = (tmp_path / "a").read_bytes()
    moov = data.rindex(b"moov") - 4
    gap = 6 << 30
    vast = data[:28] + struct.pack(">I4sQ", 1, b"mdat", moov - 28 + gap) + data[44:]
    file = Vast(vast, moov - 1, gap)
    add_stem_atom(file, stem_description(["again"] * 4))
    assert file.getvalue()[:moov] == vast[:moov]
    assert len(atoms(file.getvalue()[moov:], b"moov", b"udta", b"stem")) == 2


# As a set -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", ["rescale", "none"])
@pytest.mark.parametrize(("name", "sample_type"), [("stem.m4a", None), ("mka", "PCM_16")])
def test_it_appears_whole_or_not_at_all(tmp_path, name, sample_type, clip):
    """Nothing but temporary files until then; not committing, or a forced exit, takes all of them back."""
    wanted = output(name, sample_type, clip=clip)
    with joint(tmp_path / "out", TRACKS, wanted) as stems:
        fill(stems, sounds_of())
        assert all(file == "out" or file.endswith(".part") for file in files(tmp_path))
        assert len(files(tmp_path)) == (7 if clip == "rescale" else 2)
    assert files(tmp_path) == []
    with joint(tmp_path / "out", TRACKS, wanted) as stems:
        fill(stems, sounds_of())
        watcher = threading.Thread(target=cleanup.run_all)
        watcher.start()
        watcher.join()
        assert files(tmp_path) == []
        with pytest.raises((OutputNotWritable, JobCancelled)):
            stems.commit()
    save(tmp_path / "out", sounds_of(), wanted)
    assert files(tmp_path) == ["out", f"out/song.{name}"]


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_cancelled_commit_leaves_nothing(tmp_path, at):
    """At every track of every block."""
    calls = []

    def checkpoint():
        calls.append(None)
        if len(calls) == at:
            raise JobCancelled

    with pytest.raises(JobCancelled), joint(tmp_path / "out", TRACKS, output("stem.m4a")) as stems:  # noqa: PT012
        fill(stems, sounds_of())
        stems.commit(checkpoint=checkpoint)
    assert files(tmp_path) == []


def test_progress_rises_to_one(tmp_path):
    """Over all tracks."""
    seen = []
    with joint(tmp_path, TRACKS, output("stem.m4a")) as stems:
        fill(stems, sounds_of())
        stems.commit(on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_it_is_not_replaced_if_not_wanted(tmp_path):
    """And by default it is."""
    sounds = sounds_of()
    save(tmp_path, sounds, output("mka", "PCM_16"))
    with pytest.raises(OutputNotWritable, match="already exists"):
        save(tmp_path, sounds, output("mka", "PCM_16"), overwrite=False)
    save(tmp_path, sounds, output("mka", "PCM_16"))
    assert files(tmp_path) == ["song.mka"]


def test_the_disk_must_have_room_for_all_tracks(tmp_path, monkeypatch):
    """Those of the mix and of the spool too."""
    asked = []
    monkeypatch.setattr("utils.audio.writing.check_disk_space", lambda folder, count: asked.append(count))
    joint(tmp_path, TRACKS, output("mka", "PCM_16"))
    assert asked[0] >= 5 * FRAMES * 2 * (2 + 4)


def test_other_formats_hold_one_stem(tmp_path):
    """Two of them in one file stay a mistake."""
    with pytest.raises(OutputNotWritable, match="Two stems would be written"):
        joint(tmp_path, ("a", "b"), OutputFormat("wav", "PCM_16", None, 48000, "none"), file=tmp_path / "a.wav")


@pytest.mark.parametrize(("name", "channels"), [("stem.m4a", 3), ("mka", 6)])
def test_they_are_stereo(tmp_path, name, channels):
    """More channels are an error that says so."""
    with pytest.raises(UnsupportedFormat, match="at most 2 channels"):
        joint(tmp_path, TRACKS, output(name, "PCM_16"), channels=channels)


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    """And nothing is left."""

    def write(self, data):
        self._keep(OSError(28, "No space left on device"))
        return len(data)

    monkeypatch.setattr("utils.audio.guarded.GuardedFile.write", write)
    for wanted in (output("stem.m4a", clip="none"), output("mka", "FLOAT")):
        with pytest.raises(Exception, match="disk is full"):
            save(tmp_path / "out", sounds_of(), wanted)
        assert files(tmp_path) == []


def test_only_four_stems_make_a_stem_file(tmp_path):
    """The encoder has no description for another number."""
    with pytest.raises(ValueError, match="zip"):
        open_encoder(
            Path(tmp_path / "a"), output("stem.m4a"), channels=2, frames=1, contents=Contents(("the mix", "a", "b"))
        )
