"""How Python programs call other packages, whose names `dsu_client.compat` takes."""

from rows import Row

TITLE = "Python programs"
INTRODUCTION = """
Programs that import demucs, audio-separator or pymss run on DSU when
[`python -m dsu_client.compat.install NAME --target FOLDER`](../clients/python/README.md#in-place-of-other-packages) has put a package
of that name on their path, or when they import it from `dsu_client.compat`. Each row shows how a program calls the package.
"""
ROWS = (
    Row(
        "python -m demucs.separate --out DIR --name MODEL --device cpu SONG SONG",
        "All-In-One, which analyses music: the four stems of each song are in `DIR/MODEL/SONG/`",
    ),
    Row(
        'demucs.separate.main(["--two-stems", "vocals", "-d", "cpu", "--out", DIR, SONG])',
        "UltraSinger: `vocals.wav` and `no_vocals.wav` exist when the call returns",
    ),
    Row(
        "get_model(NAME), a Separator made without its constructor, update_parameter(…), separate_tensor(SAMPLES, RATE)",
        "VideoLingo: one model for all parts of a long recording, and the sum of all stems but the vocals, equal to demucs to 60 dB",
        "the number of channels of a song is at most 2",
    ),
    Row(
        "get_model(NAME).eval(), apply_model(MODEL, SONG[None], shifts=0)[0], save_audio(STEM, PATH, RATE)",
        "programs of the first demucs API: the song is normalised first, and the stems are equal to those of demucs to 60 dB",
    ),
    Row(
        "Separator(model=NAME, repo=DIR, progress=False), model.models[0].segment, update_parameter(callback=BAR)",
        "Demucs-Gui: the details it shows of a model, progress as a fraction that never goes back, and KeyboardInterrupt in the "
        "callback ends the song",
    ),
    Row(
        "Separator(model=NAME, device=…, shifts=…, segment=None).separate_audio_file(Path(SONG)), STEM.cpu().numpy().T",
        "EchoZero: tensors by stem name, which the program writes itself",
    ),
    Row(
        "Separator(output_format=…, model_file_dir=DIR), load_model(model_filename=…), separate(SONG), NAME between `_(` and `)_`",
        "karaoke-gen: several models with one separator; the program finds the files in the working directory by stem and moves them",
    ),
    Row(
        "separator.output_dir = separator.model_instance.output_dir = DIR, separate(SONG)",
        "programs that keep an audio-separator model loaded: each song has a folder of its own",
    ),
    Row(
        "MSSeparator.from_model_name(NAME, store_dirs={STEM: DIR}, progress_callback=…), process_folder(DIR)",
        "programs of pymss: some stems, each in its folder, and the names of the songs that succeeded",
    ),
    Row(
        "DemucsProvider(NAME).get_stems(SONG, DIR, progress_callback=…), clear_model_cache()",
        "callers of the stem provider: a folder with the four stems, and progress from 0.1 to 1",
    ),
    Row(
        'Separator(output_dir=DIR, use_directml=False, mdx_params={"device": …}, demucs_params={"device": …}), load_model(NAME)',
        "STEMwerk: files in `DIR`, which the program moves by the stems in their names",
    ),
)
DIFFERENCES = (
    "Samples of every demucs model are 44.1 kHz stereo, as those of all published models are.",
    "`Separator` of audio-separator is tested side by side with the package's own; the differences are those of the command line.",
    "`list_models()` of demucs returns the names of DSU's models where demucs returns the locations of their files, unless it is given a folder.",
)
