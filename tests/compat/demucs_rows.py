"""What users and programs type after `demucs`, in a folder with a few songs and the tiny models of `tools.fixtures.demucs`."""

from __future__ import annotations

from rows import Row

TITLE = "The program demucs"
INTRODUCTION = """\
`dsu-demucs` takes the command line of demucs 4 and has the same exit statuses, files, formats and samples, the same
sentences on stdout and the same bars on stderr. A program that starts `demucs` or `python -m demucs.separate` can start
`dsu-demucs` instead. Each command line below runs in both programs, with small models of random weights; the random time shifts
are disabled in both. If the song has the model's sample rate, samples are equal to within two steps of 16 bits.

Other tests call it in the same way as StemRoller, stemmy, UltraSinger, unmixer and EchoZero call demucs, and read what these
programs read: progress from stderr, the exit status or the signal, and the files. The folder of a song appears when its stems are
complete.
"""
DIFFERENCES: tuple[str, ...] = tuple(
    """\
`-s SIG` means the same as `-n SIG`; demucs accepts it but separates with `htdemucs` anyway.
A song that cannot be read does not stop the others; the exit status is still 1.
A folder stands for the songs in it, options may be written between songs, and `--segment` may be a fraction.
`--no-split` with a network that takes only a few seconds at once (`htdemucs`), or with a song that is too long for the memory, \
warns and separates in segments; demucs ends with an error.
`--float32 --clip-mode none` keeps samples above full scale, and `--clip-mode clamp` limits at full scale, not at 0.99.
`--clip-mode rescale_all` lowers all stems by one gain, so that they still sum to the song, as `dsu` does.
Stems of a song with another sample rate are as long as the song, rounded to a sample; demucs cuts off the last sample.
Songs with the same name in different folders become `song` and `song (2)`, and a `--filename` that gives all songs the same \
files is refused; demucs replaces the first result with the second.
A `--filename` may leave the folder of the model with `../`, but not OUT. Extensions are written in lower case.
Stems may be named in any case.
Characters that some system forbids in names, such as `?` or `:`, become `_`.
`--mp3-preset` has no effect: mp3 files always have the best quality. Bit rates that MP3 does not support are refused.
`hf://NAMESPACE/NAME` is not supported: models come from the files that DSU knows, and from `--repo`.
Networks of a bag go through a song together, and those that no requested stem needs do not run. The bars share the whole \
progress as if the networks ran one after another.
""".splitlines()
)


def typed(*cases: tuple[str, ...]) -> list[Row]:
    return [Row(f"demucs --repo models {words}", *more) for words, *more in cases]


MODELS = [
    *typed(
        ("-n tiny song.wav", "four stems in `separated/tiny/song`"),
        ("--name tiny song.wav", "the model by its long option"),
        ("--name=tiny song.wav", "a value after `=`"),
        ("-ntiny song.wav", "a value without a space"),
        ("-n tiny_ft song.wav", "four networks, four bars"),
        ("-n tiny_bag song.wav", "a weighted bag"),
        ("-n aaaa0001 song.wav", "a single network by its signature"),
        ("-n aaaa0002 song.wav", "a Hybrid Demucs network"),
        ("-n aaaa0003 song.wav", "a time-domain Demucs network"),
        ("-s aaaa0001 song.wav", "a network by `--sig`", "demucs ignores the signature"),
        ("-n tiny --sig aaaa0001 song.wav", "either a name or a signature: 2"),
        ("-n absent song.wav", "an unknown model: 1"),
        ("song.wav", "`htdemucs`, which is not in the folder: 1"),
        ("--list-models", "bags and single networks of the folder"),
        ("-n tiny", "no song: 1"),
        ("-n tiny -v song.wav", "`--verbose`"),
    ),
    Row("demucs --repo nowhere -n tiny song.wav", "a folder that does not exist: 1"),
    Row("demucs", "nothing: 1"),
    Row("demucs --help", "the help: 0"),
    Row("demucs --list-models", "the available models"),
]
OUTPUT = typed(
    ("-n tiny -o out song.wav", "another folder"),
    ("-n tiny --out=out/below song.wav", "a folder that is created"),
    ("-n tiny --filename {track}_{stem}.{ext} song.wav", "names without folders"),
    ("-n tiny --filename {stem}/{track}.{ext} song.wav", "a folder for each stem"),
    ("-n tiny --filename {track}.{trackext}/{stem}.{ext} song.wav", "the song's extension"),
    ("-n tiny --filename {trackext}/{track}-{stem}.{ext} song.wav short.flac", "songs of several extensions"),
    ("-n tiny --filename ../{track}/{stem}.{ext} song.wav", "without the folder of the model"),
    ("-n tiny --filename {{x}}{stem}.{ext} song.wav", "literal braces"),
    ("-n tiny --filename {stem}.flac song.wav", "the extension sets the format"),
    ("-n tiny --filename {stem}.mp3 song.wav", "mp3 by the extension"),
    ("-n tiny --filename {stem}.{trackext} short.flac", "the song's format"),
    ("-n tiny --filename {title}.{ext} song.wav", "an unknown field: 1"),
    ("-n tiny --filename {stem song.wav", "an unmatched brace: 1"),
    ("-n tiny --filename {stem} song.wav", "no extension: 1"),
    ("-n tiny --filename {stem}.xyz song.wav", "no format: 1"),
    ("-n tiny --int24 song.wav", "24 bits"),
    ("-n tiny --float32 song.wav", "floats"),
    ("-n tiny --int24 --float32 song.wav", "options that exclude each other: 2"),
    ("-n tiny --flac song.wav", "FLAC"),
    ("-n tiny --flac --int24 song.wav", "24-bit FLAC"),
    ("-n tiny --flac --float32 song.wav", "FLAC has no float samples: 16 bits"),
    ("-n tiny --mp3 song.wav", "MP3 at 320 kbit/s"),
    ("-n tiny --mp3 --mp3-bitrate 128 song.wav", "another bit rate"),
    ("-n tiny --mp3 --float32 song.wav", "a sample type that MP3 does not have"),
    ("-n tiny --mp3 --mp3-preset 7 song.wav", "a preset"),
    ("-n tiny --mp3-bitrate 128 song.wav", "a bit rate without `--mp3`"),
    ("-n tiny --mp3-preset 3 song.wav", "a preset without `--mp3`"),
    ("-n tiny --mp3-preset 9 song.wav", "no such preset: 2"),
    ("-n tiny --mp3-bitrate much song.wav", "not a number: 2"),
    ("-n tiny --mp3 --flac song.wav", "options that exclude each other: 2"),
    ("-n tiny loud.wav", "stems that would clip are lowered individually"),
    ("-n tiny --clip-mode rescale --float32 loud.wav", "also in floats"),
    ("-n tiny --clip-mode clamp loud.wav", "samples are limited", "at full scale, not at 0.99"),
    ("-n tiny --clip-mode none loud.wav", "samples are limited by the file alone"),
    ("-n tiny --clip-mode none --float32 loud.wav", "floats that exceed full scale", "they are kept"),
    ("-n tiny --clip-mode tanh loud.wav", "no such mode: 2"),
)
SEPARATION = typed(
    ("-n tiny --two-stems vocals song.wav", "`vocals` and `no_vocals`, the sum of the others"),
    ("-n tiny_ft --two-stems=bass song.wav", "the same of a bag"),
    ("-n tiny --two-stems vocals --other-method add song.wav", "the default"),
    ("-n tiny --two-stems vocals --other-method minus song.wav", "`minus_vocals`: the song without the stem"),
    ("-n tiny_ft --two-stems vocals --other-method none song.wav", "one file"),
    ("-n tiny --other-method minus song.wav", "without `--two-stems` it has no effect"),
    ("-n tiny --two-stems vocals --flac --filename {track}_{stem}.{ext} song.wav", "all combined"),
    ("-n tiny --two-stems nothing song.wav", "no such stem: 1"),
    ("-n tiny --two-stems vocals --other-method plus song.wav", "no such method: 2"),
    ("-n tiny --shifts 0 song.wav", "no time shift"),
    ("-n tiny --shifts 2 song.wav", "two passes, two bars"),
    ("-n tiny --shifts -1 song.wav", "a negative number: 1"),
    ("-n tiny --shifts two song.wav", "not a number: 2"),
    ("-n tiny --overlap 0.5 song.wav", "another overlap"),
    ("-n tiny --overlap 0 song.wav", "none"),
    ("-n tiny --overlap 1 song.wav", "all of it: 1"),
    ("-n tiny --overlap half song.wav", "not a number: 2"),
    ("-n tiny --segment 1 song.wav", "shorter segments"),
    ("-n aaaa0002 --segment 1 song.wav", "shorter segments of another network"),
    ("-n tiny --segment 3 song.wav", "more than the network takes: 1"),
    ("-n tiny --segment 1.5 song.wav", "a fraction", "demucs takes whole numbers only"),
    ("-n aaaa0002 --no-split long.wav", "the whole song at once"),
    ("-n aaaa0003 --no-split long.wav", "the whole song at once"),
    ("-n tiny --no-split short.flac", "a song that fits into a segment"),
    ("-n tiny --no-split long.wav", "a song that does not", "separated in segments, with a message"),
    ("-n aaaa0002 --no-split --segment 1 song.wav", "options that exclude each other: 2"),
    ("-n tiny -j 2 song.wav", "two threads"),
    ("-n tiny -d cpu song.wav", "the device"),
    ("-n tiny -d nonsense song.wav", "no such device: 1"),
    ("-n tiny --nonsense song.wav", "no such option: 2"),
)
BEGINNINGS = typed(
    ("--na tiny --two vocals --oth none song.wav", "abbreviated options"),
    ("--na tiny --ov 0.5 --se 1 --sh 0 --j 1 --dev cpu --cl none --fl song.wav", "an ambiguous one: 2"),
    (
        "--na tiny --ov 0.5 --se 1 --sh 0 --j 1 --dev cpu --cl none --i song.wav",
        "unambiguous only without our own options",
    ),
    ("--na tiny --fi {stem}.{ext} --fla --v --ou out song.wav", "further ones"),
    ("--na tiny --no --mp3-b 64 short.flac", "further ones"),
)
SONGS = typed(
    ("-n tiny song.wav short.flac", "two songs"),
    ("song.wav -n tiny", "options after the song"),
    ("song.wav -n tiny short.flac", "options between songs", "demucs reads only one group of songs: 2"),
    ("-n tiny -- song.wav", "songs after `--`"),
    ("-n tiny ./song.wav", "a path"),
    ('-n tiny "My Song.wav"', "a name with a space"),
    ("-n tiny a.b.wav", "a name with dots"),
    ("-n tiny mono.wav", "stereo stems of a mono song"),
    ("-n tiny at48k.wav", "a song with another sample rate"),
    ("-n tiny silent.wav", "silence"),
    ("-n tiny missing.wav", "a missing song is reported, and the status is 0"),
    ("-n tiny missing.wav song.wav", "the others are separated"),
    ("-n tiny broken.wav", "not audio: 1"),
    ("-n tiny broken.wav song.wav", "a file that is not audio, and a song: 1", "the song is separated"),
    ("-n tiny folder", "a folder", "its songs are separated"),
)
ROWS = [*MODELS, *OUTPUT, *SEPARATION, *BEGINNINGS, *SONGS]
