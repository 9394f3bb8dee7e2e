"""Songs from seeds, and the MIDI files they become."""

import struct

import pytest

from training.composing import CLIP_S, Note, bass_notes, compose, drum_hits, melody_notes, stream
from training.soundfonts import DRUM_KEYS, Voice, drum_notes, midi_file

SEEDS = range(40)


def test_a_seed_is_a_song():
    """A seed always gives the same song and parts, and different seeds different ones."""
    assert compose(3) == compose(3)
    assert bass_notes(compose(3)) == bass_notes(compose(3))
    assert drum_hits(compose(3)) == drum_hits(compose(3))
    assert len({compose(seed).bpm for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_fill_the_clip(seed):
    """Drums and bass play in the first and the last four seconds, the drums on known keys, the bass on low notes."""
    song = compose(seed)
    hits, notes = drum_hits(song), bass_notes(song)
    for events in (hits, notes):
        assert any(0 <= event.start_s < 4 for event in events)
        assert any(CLIP_S - 4 <= event.start_s < CLIP_S for event in events)
    assert {hit.role for hit in hits} <= DRUM_KEYS.keys()
    assert all(20 <= note.pitch <= 57 for note in notes)


def test_melodies_keep_to_the_scale():
    """Every note of a melody belongs to the song's scale."""
    song = compose(5)
    scale = {song.degree(number) % 12 for number in range(7)}
    assert {note.pitch % 12 for note in melody_notes(song, stream(5, "vocals"), low=48)} <= scale


def read_messages(content):
    """The MIDI messages of a file of one track, with their times in ticks."""
    assert (content[:4], content[14:18]) == (b"MThd", b"MTrk")
    track = content[22 : 22 + struct.unpack(">I", content[18:22])[0]]
    now, position = 0, 0
    while track[position:]:
        delta = 0
        while True:
            byte, position = track[position], position + 1
            delta = delta << 7 | byte & 0x7F
            if byte < 0x80:
                break
        now += delta
        size = 2 if track[position] & 0xF0 == 0xC0 else 3
        yield now, track[position : position + size]
        position += size


def test_notes_become_midi_messages_in_order():
    """A note that ends where the next one begins ends first; notes that start after the clip are left out."""
    notes = [Note(0.0, 0.5, 60, 1.0), Note(0.5, 0.5, 62, 0.5), Note(CLIP_S + 1, 1.0, 64, 1.0)]
    messages = list(read_messages(midi_file([Voice(33, notes)])))
    assert messages == [
        (0, b"\xc0\x21"), (0, b"\x90\x3c\x7f"), (480, b"\x80\x3c\x00"), (480, b"\x90\x3e\x3f"), (960, b"\x80\x3e\x00"),
        (9600, b"\xff\x2f\x00"),
    ]  # fmt: skip


def test_drums_play_on_the_drum_channel():
    """With `drums` all keys are on channel ten, and other voices never are."""
    hits = drum_notes(drum_hits(compose(1)))
    kinds = {message[0] for _, message in read_messages(midi_file([Voice(0, hits)], drums=True))}
    assert kinds == {0xC9, 0x99, 0x89, 0xFF}
    many = midi_file([Voice(program, [Note(0.0, 1.0, 60, 1.0)]) for program in range(12)])
    assert {message[0] & 0x0F for _, message in read_messages(many)} - {0x0F} == set(range(13)) - {9}
