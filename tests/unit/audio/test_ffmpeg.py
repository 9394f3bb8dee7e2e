"""What FFmpeg reads for us: M4A, WMA, Matroska and the rest."""

import av
import numpy as np
import pytest
from sounds import RATE, cut, noise, read, save, save_with_ffmpeg, sdr, tones

from utils.audio.reading import open_audio, probe
from utils.core.errors import InputUnreadable

FRAMES = 3 * RATE + 137


@pytest.mark.parametrize(
    ("name", "codec", "container", "sample_format"),
    [
        ("a.m4a", "alac", "ipod", "s16p"),
        ("a.mkv", "pcm_s16le", "matroska", "s16"),
        ("a.mov", "pcm_s24le", "mov", "s32"),
        ("a.wv", "wavpack", "wv", "s16p"),
        ("a.wv", "wavpack", "wv", "s32p"),
    ],
)
def test_lossless_codecs_are_read_exactly(tmp_path, name, codec, container, sample_format):
    """Integer samples come out with full scale at 1 and nothing missing."""
    sound = noise(FRAMES)
    found = read(save_with_ffmpeg(tmp_path / name, sound, codec, container, sample_format=sample_format))
    assert found.shape == sound.shape
    np.testing.assert_allclose(found, sound, atol=2**-15)


@pytest.mark.parametrize("frames", [1023, 1024, FRAMES])
def test_m4a_loses_its_priming_and_padding(tmp_path, frames):
    """AAC in MP4 has as many samples as went in, in their place."""
    sound = tones(frames)
    found = read(save_with_ffmpeg(tmp_path / "a.m4a", sound, "aac", "ipod"))
    assert found.shape == sound.shape
    if frames == FRAMES:
        assert sdr(sound, found) > 20


@pytest.mark.parametrize(
    ("name", "codec", "container", "rate"),
    [
        ("a.wma", "wmav2", "asf", RATE),
        ("a.aac", "aac", "adts", RATE),
        ("a.mp4", "aac", "mp4", RATE),
        ("a.mkv", "aac", "matroska", RATE),
        ("a.webm", "libopus", "webm", 48000),
        ("a.ac3", "ac3", "ac3", 48000),
        ("a.avi", "mp3", "avi", RATE),
    ],
)
def test_other_containers_are_read(tmp_path, name, codec, container, rate):
    """About as long as what went in, since these say little of priming."""
    path = save_with_ffmpeg(tmp_path / name, tones(rate * 3, rate=rate), codec, container, rate)
    info = probe(path)
    assert (info.sample_rate, info.channels) == (rate, 2)
    assert abs(read(path, rate=rate).shape[1] - rate * 3) < 4096


def test_a_part_is_that_part_of_the_whole(tmp_path):
    """Decoded and dropped up to the exact sample."""
    path = save_with_ffmpeg(tmp_path / "a.m4a", tones(FRAMES), "aac", "ipod")
    whole = read(path)
    np.testing.assert_array_equal(read(path, start_s=1.01, duration_s=0.5), whole[:, 44541 : 44541 + 22050])


def test_ogg_channels_are_sorted(tmp_path):
    """Vorbis keeps 5.1 in an order of its own; the centre still ends in the middle and the LFE nowhere."""
    sound = np.zeros((6, RATE), np.float32)
    sound[1] = tones(RATE, 1)[0]  # the second channel of Vorbis is the centre
    found = read(save(tmp_path / "a.ogg", sound))
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    assert np.abs(found).max() > 0.1


def test_the_first_of_several_streams_is_used(tmp_path):
    """The choice is said in a warning."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("pcm_s16le", rate=RATE, layout="stereo") for _ in range(2)]
        for stream, level in zip(streams, (0.25, 0.75), strict=True):
            samples = np.full((1, 2 * RATE), round(level * 32768), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = RATE, 0
            out.mux(stream.encode(frame))
    with open_audio(path, sample_rate=RATE, channels=2) as reader:
        np.testing.assert_allclose(next(reader), 0.25, atol=1e-4)
        assert reader.warnings == [f"'{path}' has 2 audio streams; the first one is used."]


def damage(path, packets):
    """Overwrite some packets of a file with bytes that no AAC decoder takes."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in places[20 : 20 + packets]:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def test_damaged_packets_become_silence(tmp_path):
    """The rest stays in place, and the number is told."""
    path = save_with_ffmpeg(tmp_path / "a.m4a", tones(FRAMES), "aac", "ipod")
    whole = read(path)
    damage(path, 3)
    with open_audio(path, sample_rate=RATE, channels=2) as reader:
        found = np.concatenate(list(reader), axis=1)
        assert reader.warnings == [f"3 damaged packets in '{path}' were replaced by silence."]
    assert found.shape == whole.shape
    assert sdr(whole[:, -RATE:], found[:, -RATE:]) > 30


def test_too_much_damage_is_an_error(tmp_path):
    """Beyond a limit, silence would be a lie."""
    path = damage(save_with_ffmpeg(tmp_path / "a.m4a", tones(FRAMES), "aac", "ipod"), 80)
    with pytest.raises(InputUnreadable, match=r"decoding failed at 0\.\d s .*50 packets"):
        read(path)


def test_nothing_but_damage_is_unreadable(tmp_path):
    """A file of which no packet can be decoded is refused at once."""
    path = save_with_ffmpeg(tmp_path / "a.m4a", tones(10 * 1024), "aac", "ipod")
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(audio=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in places:
        data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    with pytest.raises(InputUnreadable, match="none of it can be decoded"):
        probe(path)


def test_a_cut_off_m4a_is_an_error(tmp_path):
    """Without its index it cannot be read; with the index in front it is known to be cut off."""
    path = save_with_ffmpeg(tmp_path / "a.m4a", noise(10 * RATE), "aac", "ipod")
    front = tmp_path / "front.mp4"
    with av.open(str(path)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    with pytest.raises(InputUnreadable, match="cannot be read as audio"):
        read(cut(path, 0.5))
    with pytest.raises(InputUnreadable, match=r"cut off: it holds [45]\.\d s of 10\.0 s|decoding failed at"):
        read(cut(front, 0.5))
    assert read(front, duration_s=3.0).shape[1] == 3 * RATE
