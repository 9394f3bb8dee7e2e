"""Output formats: what each of them supports, and what a request wants of one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from utils.core.errors import UnsupportedFormat
from utils.core.peaks import Loudness, PeakRange
from utils.core.requests import JOINT_FORMATS, AudioFormat, ClipMode, SampleType

MAX_RIFF_BYTES = 0xFFFFFFFF - (64 << 20)  # leaves room for tags and a cover

_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4}


# How samples are coded inside a file.
Codec = Literal["pcm", "flac", "alac", "mp3", "vorbis", "opus", "aac"]


class _Limits(NamedTuple):
    """What a format supports. A format without sample types is lossy."""

    sample_types: tuple[SampleType, ...] = ()
    rates: tuple[int, ...] = ()
    max_rate: int = 384000
    max_channels: int = 8
    default_bitrate: int | None = None


_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES = (*_MP3_RATES, 64000, 88200, 96000)
_ANY: tuple[SampleType, ...] = ("PCM_16", "PCM_24", "PCM_32", "FLOAT")

_DJ_RATES = (44100, 48000)

_LOSSLESS: dict[AudioFormat, _Limits] = {
    "wav": _Limits(_ANY),
    "aiff": _Limits(_ANY),
    "flac": _Limits(("PCM_16", "PCM_24")),
    "stem.m4a": _Limits(("PCM_16", "PCM_24"), rates=_DJ_RATES, max_channels=2),
    "mka": _Limits(_ANY, max_channels=2),
}
_LOSSY: dict[AudioFormat, _Limits] = {
    "mp3": _Limits(rates=_MP3_RATES, max_channels=2, default_bitrate=320),
    "ogg": _Limits(max_rate=192000, max_channels=2, default_bitrate=256),
    "opus": _Limits(max_channels=2, default_bitrate=192),
    "m4a": _Limits(rates=_AAC_RATES, max_channels=2, default_bitrate=256),
    "stem.m4a": _Limits(rates=_DJ_RATES, max_channels=2, default_bitrate=256),
    "mka": _Limits(max_channels=2),
}

_LOSSY_CODECS: dict[AudioFormat, Codec] = {
    "mp3": "mp3",
    "ogg": "vorbis",
    "opus": "opus",
    "m4a": "aac",
    "stem.m4a": "aac",
    "mka": "opus",  # FFmpeg's Matroska does not say at which sample AAC ends
}

DJ_STEMS = 4  # of a stem.m4a, beside the mix
_NAMED_MODELS = 5  # in an error

_MP3_BITRATES = {
    32000: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    16000: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    0: (8, 16, 24, 32, 40, 48, 56, 64),
}


@dataclass(frozen=True)
class OutputFormat:
    """How stems are written. `bitrate` is in kbit/s, None for the format's default.

    A format that can be either is lossy without a `sample_type`; one that is always lossy has no use for it.

    With a `level`, each stem gets a gain of its own before it is encoded, and `clip` has nothing left to do. With a `loudness`,
    all get the same one, which is only known at the end.
    """

    name: AudioFormat
    sample_type: SampleType | None
    bitrate: int | None
    sample_rate: int
    clip: ClipMode
    level: PeakRange | None = None
    loudness: Loudness | None = None

    @property
    def is_joint(self) -> bool:
        """Whether one file holds the mix and all stems."""
        return self.name in JOINT_FORMATS

    @property
    def is_lossy(self) -> bool:
        return self.name not in _LOSSLESS or (self.name in _LOSSY and self.sample_type is None)

    @property
    def limits(self) -> _Limits:
        return (_LOSSY if self.is_lossy else _LOSSLESS)[self.name]

    @property
    def codec(self) -> Codec:
        if self.is_lossy:
            return _LOSSY_CODECS[self.name]
        if self.name == "stem.m4a":
            return "alac"
        is_flac = self.name == "flac" or (self.name == "mka" and self.sample_type in _LOSSLESS["flac"].sample_types)
        return "flac" if is_flac else "pcm"

    @property
    def is_float_wav(self) -> bool:
        """Whether the file is of the kind that can be read while it grows."""
        return self.name == "wav" and self.sample_type == "FLOAT"

    @property
    def holds_overs(self) -> bool:
        """Whether samples above full scale are kept."""
        return not self.is_lossy and self.sample_type == "FLOAT"

    @property
    def pcm_bits(self) -> int | None:
        """The bits of an integer sample; None if samples are floats or the format is lossy."""
        return None if self.is_lossy or self.holds_overs else 8 * self._sample_bytes

    @property
    def _sample_bytes(self) -> int:
        return _BYTES[self.sample_type or "FLOAT"]

    @property
    def file_rate(self) -> int:
        """The rate of the file: the requested one, except that Opus supports few rates and uses 48 kHz for the others."""
        return 48000 if self.codec == "opus" and self.sample_rate not in _OPUS_RATES else self.sample_rate

    def kilobits(self, channels: int) -> int:
        """The bit rate to encode with."""
        if self.bitrate is not None:
            return self.bitrate
        wanted = self.limits.default_bitrate or 0
        return min(wanted, max(_bitrates(self, channels)))

    def size_bytes(self, frames: int, channels: int) -> int:
        """An upper estimate of the file's size."""
        if self.is_lossy:
            return int(frames / self.file_rate * self.kilobits(channels) * 125 * 1.1) + (64 << 10)
        return frames * channels * self._sample_bytes + (64 << 10)


def rate_like(rate: int, name: AudioFormat) -> int:
    """A rate that a format supports: this one, or else the next lower one, or its lowest."""
    limits = _limits_of(name)
    if not limits.rates:
        return min(rate, limits.max_rate)
    return max((one for one in limits.rates if one <= rate), default=limits.rates[0])


def most_channels(name: AudioFormat) -> int:
    """The largest number of channels of a file of this format."""
    return _limits_of(name).max_channels


def _limits_of(name: AudioFormat) -> _Limits:
    """The limits of a format as far as its sample type does not change them."""
    return _LOSSLESS.get(name) or _LOSSY[name]


def sample_types_of(name: AudioFormat) -> tuple[SampleType, ...]:
    """What samples without loss can be in this format; none if it is always lossy."""
    return _LOSSLESS[name].sample_types if name in _LOSSLESS else ()


def check_output(output: OutputFormat, *, channels: int) -> None:
    """Raise `UnsupportedFormat` for what the format cannot hold, with the nearest that it can."""
    limits, title = output.limits, _title(output)
    if channels > limits.max_channels:
        raise UnsupportedFormat(f"{title} can be written with at most {limits.max_channels} channels.", field="format")
    if limits.sample_types and output.sample_type not in limits.sample_types:
        raise UnsupportedFormat(
            f"{title} cannot hold {output.sample_type} samples, only {' or '.join(limits.sample_types)}.",
            hint=f'Use "pcm_type": "{limits.sample_types[-1]}", or "format": "wav".',
            suggestions=limits.sample_types,
            field="pcm_type",
        )
    rate = output.sample_rate
    if not ((rate in limits.rates) if limits.rates else rate <= limits.max_rate):
        near = min(limits.rates or (limits.max_rate,), key=lambda known: (abs(known - rate), -known))
        raise UnsupportedFormat(
            f"{title} does not support a sample rate of {rate} Hz.",
            hint=f'The nearest rate is "output_sample_rate": {near}; "format": "wav" supports any.',
            suggestions=[str(near)],
            field="output_sample_rate",
        )
    bitrate, known_bitrates = output.bitrate, _bitrates(output, channels)
    if output.is_lossy and bitrate is not None and bitrate not in known_bitrates:
        near = min(known_bitrates, key=lambda known: (abs(known - bitrate), -known))
        raise UnsupportedFormat(
            f"{title} at {output.file_rate} Hz with {channels} channel(s) has no bit rate of {bitrate} kbit/s.",
            hint=f'The nearest bit rate is "bitrate": {near}.',
            suggestions=[str(near)],
            field="bitrate",
        )


def _bitrates(output: OutputFormat, channels: int) -> range | tuple[int, ...]:
    """The bit rates that the format has at this sample rate."""
    if output.codec == "mp3":
        return next(rates for lowest, rates in _MP3_BITRATES.items() if output.sample_rate >= lowest)
    if output.codec == "opus":
        return range(6, 256 * channels + 1)
    if output.codec == "aac":  # a frame of 1024 samples has at most 6144 bits for each channel
        return range(8, 6 * channels * output.sample_rate // 1000 + 1)
    return range(8, 641)


def check_stems(name: AudioFormat, stems: int, models: Callable[[], Sequence[str]], *, more: int = 0) -> None:
    """Raise `UnsupportedFormat` for a number of stems that the format cannot hold, also if there were `more` of them.

    The error names some of the `models` that have as many as it needs.
    """
    if name != "stem.m4a" or stems <= DJ_STEMS <= stems + more:
        return
    known = models()
    fitting = 'choose four of them in "stems"' if stems > DJ_STEMS else "take all stems of a model that has four"
    such = f", such as {', '.join(known[:_NAMED_MODELS])}" if known and stems < DJ_STEMS else ""
    raise UnsupportedFormat(
        f"`{name}` holds exactly four stems beside the mix, but this job gives {stems}.",
        hint=f'For it, {fitting}{such}. "format":"mka" holds any number.',
        suggestions=known,
        field="format",
    )


def notes(output: OutputFormat) -> list[str]:
    """What the user should know about how the request was carried out."""
    found = []
    if output.file_rate != output.sample_rate:
        found.append(f"Opus does not support {output.sample_rate} Hz; the stems are written at {output.file_rate} Hz.")
    if output.bitrate is not None and not output.is_lossy:
        found.append(f"`bitrate` was ignored: {_title(output)} has none.")
    return found


def _title(output: OutputFormat) -> str:
    if output.is_joint:
        return f"`{output.name}` with {'Opus' if output.codec == 'opus' else output.codec.upper()}"
    return {"ogg": "Ogg Vorbis", "opus": "Opus"}.get(output.name, output.name.upper())
