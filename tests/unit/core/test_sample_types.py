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
    ],
)
def test_as_deep_as_the_input_where_that_is_asked(asked, input_type, audio_format, expected):
    """As far as the format can be; lossy inputs have no depth."""
    request = NetworkSeparate(input="a", format=audio_format, **asked)
    assert request.sample_type_for(input_type) == expected
