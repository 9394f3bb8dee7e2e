"""The type of the stems' samples that a request asks for."""

import pytest

from utils.core.requests import NetworkSeparate


@pytest.mark.parametrize(
    ("asked", "input_type", "audio_format", "expected"),
    [
        ({}, "PCM_24", "wav", "PCM_16"),
        ({"pcm_type": "FLOAT"}, "PCM_16", "wav", "FLOAT"),
        ({"subtype": "PCM_24"}, "PCM_16", "wav", "PCM_24"),
        ({"pcm_type": "source"}, "PCM_16", "wav", "PCM_16"),
        ({"pcm_type": "source"}, "PCM_U8", "wav", "PCM_16"),
        ({"pcm_type": "source"}, "PCM_24", "flac", "PCM_24"),
        ({"pcm_type": "source"}, "ALAC_20", "wav", "PCM_24"),
        ({"pcm_type": "source"}, "PCM_32", "aiff", "PCM_32"),
        ({"pcm_type": "source"}, "PCM_32", "flac", "PCM_24"),
        ({"pcm_type": "source"}, "DOUBLE", "wav", "FLOAT"),
        ({"subtype": "source"}, "FLOAT", "flac", "PCM_24"),
        ({"pcm_type": "source"}, "MPEG_LAYER_III", "wav", "PCM_16"),
        ({"pcm_type": "source"}, "", "wav", "PCM_16"),
        ({}, "PCM_24", "stem.m4a", None),
        ({"bitrate": 128}, "PCM_24", "stem.m4a", None),
        ({"pcm_type": "PCM_24"}, "PCM_16", "stem.m4a", "PCM_24"),
        ({"pcm_type": "PCM_24", "bitrate": 128}, "PCM_16", "stem.m4a", "PCM_24"),
        ({"pcm_type": "source"}, "FLOAT", "stem.m4a", "PCM_24"),
        ({"pcm_type": "source", "bitrate": 128}, "FLOAT", "stem.m4a", None),
        ({}, "PCM_24", "mka", "PCM_16"),
        ({"bitrate": 128}, "PCM_24", "mka", None),
        ({"pcm_type": "source"}, "FLOAT", "mka", "FLOAT"),
        ({"pcm_type": "FLOAT", "bitrate": 128}, "PCM_16", "mka", "FLOAT"),
    ],
)
def test_as_deep_as_the_input_where_that_is_asked(asked, input_type, audio_format, expected):
    """As far as the format can be; lossy inputs have no depth."""
    request = NetworkSeparate(input="a", format=audio_format, **asked)
    assert request.sample_type_for(input_type) == expected
