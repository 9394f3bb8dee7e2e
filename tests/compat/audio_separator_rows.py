"""What users of audio-separator's command line do, and what comes of it with dsu-audio-separator."""

from rows import Row

TITLE = "audio-separator: the command line"
INTRODUCTION = """
`dsu-audio-separator` takes the options of `audio-separator` 0.47, with the same meanings and defaults, and writes the same files
under the same names. All spellings are accepted, with `_` or `-`, and so are unambiguous abbreviations. Messages go to stderr in
the same form, with a progress bar; the last line names the files.
"""

# Separations of a song with each kind of model, run by both programs; exit status, names, formats and samples are compared.
SEPARATIONS = (
    Row("-m vr.pth song.wav", "both stems of a VR model, as FLAC in the working directory"),
    Row("-m mdx.onnx --mdx_segment_size=32 song.wav", "both stems of an MDX model"),
    Row("-m roformer.ckpt song.wav", "the stems of a BS-RoFormer, with its Hamming windows"),
    Row("-m melband.ckpt song.wav", "the stems of a Mel-Band RoFormer"),
    Row("-m mdx23c.ckpt song.wav", "the stems of an MDX23C network, with its rectangular windows"),
    Row("-m target.ckpt song.wav", "a network with one target; the rest is written, too"),
    Row("-m drums.ckpt song.wav", "all stems of a network with four"),
    Row("-m demucs.yaml --demucs_shifts=0 song.wav", "the stems of a Demucs bag, with capitals"),
    Row("-m vr.pth --output_dir=out --output_format=WAV song.wav", "another folder and format"),
    Row("-m mdx23c.ckpt deep.wav", "files as deep as the song, here 24 bits"),
    Row("-m mdx23c.ckpt mono.wav", "stereo stems of a mono song"),
    Row("-m mdx23c.ckpt 'my__song: a?.wav'", "names without forbidden characters and runs of underscores"),
    Row("-m mdx23c.ckpt --single_stem=Vocals song.wav", "one stem, whatever its case"),
    Row("-m vr.pth --single_stem=Instrumental song.wav", "the other stem of a VR model"),
    Row('-m mdx23c.ckpt --custom_output_names={"Vocals":"my__voice"} song.wav', "the user's own names, cleaned up"),
    Row("-m mdx23c.ckpt --normalization=0.5 song.wav", "song and stems no louder than requested"),
    Row("-m mdx23c.ckpt --amplification=0.8 quiet.wav", "a quiet song and its stems as loud as requested"),
    Row(
        "-m mdx.onnx --mdx_segment_size=32 --mdx_overlap=0.5 --mdx_enable_denoise song.wav", "the options of MDX models"
    ),
    Row("-m vr.pth --vr_aggression=10 --vr_window_size=320 --vr_enable_tta song.wav", "the options of VR models"),
    Row("-m roformer.ckpt --mdxc_overlap=4 --mdxc_segment_size=128 song.wav", "the options of MDXC models"),
    Row("-m mdx23c.ckpt soft.wav --extra_models other.ckpt", "an ensemble, averaged"),
    Row(
        "-m mdx23c.ckpt --extra_models other.ckpt --ensemble_algorithm=uvr_max_spec soft.wav",
        "an ensemble that takes the louder member in every bin",
    ),
    Row(
        "-m mdx23c.ckpt --ensemble_algorithm=min_fft soft.wav --extra_models vr.pth",
        "an ensemble of models of different kinds",
    ),
    Row(
        "-m mdx23c.ckpt --ensemble_algorithm=median_wave soft.wav --extra_models other.ckpt vr.pth",
        "an ensemble of three",
    ),
    Row("-m mdx23c.ckpt songs", "all songs below a folder"),
)
# What both refuse or only tell; exit status and streams are compared.
OTHERS = (
    Row("", "help on stdout and status 1, because there is nothing to do"),
    Row("--mdx_overlap=a song.wav", "a wrong value has status 2"),
    Row("--nonsense song.wav", "an unknown option has status 2"),
    Row("--list_format=xml -l", "a value that is not among the choices has status 2"),
    Row("--custom_output_names=x song.wav", "malformed JSON has status 2"),
    Row("--use_autocast --use_native_fp16 song.wav", "options that exclude each other have status 2"),
    Row("-m nobody.ckpt song.wav", "an unknown model has status 1"),
    Row("-m mdx23c.ckpt missing.wav", "a missing song has status 1"),
    Row("-m mdx23c.ckpt --normalization=2 song.wav", "a level above full scale has status 1"),
    Row("--ensemble_preset=nobody song.wav", "an unknown ensemble has status 1"),
    Row("--log_level=loud song.wav", "an unknown log level has status 1"),
    Row("-v", "the version on stdout"),
    Row("-e", "the system and the versions of packages, on stderr"),
    Row("--list_presets", "the nine ensembles with their numbers of models and algorithms"),
    Row("-l --list_filter=filename --list_limit=3", "a table of models"),
    Row("-l --list_format=json", "one JSON document: an object for each kind, with models by name"),
)
ROWS = (*SEPARATIONS, *OTHERS)

DIFFERENCES = (
    (
        "Models are in DSU's models directory unless `--model_file_dir` or `AUDIO_SEPARATOR_MODEL_DIR` sets another. They are found "
        "there and in its subfolders, whichever program downloaded them. The lists and parameters of models come with DSU, so "
        "`-l` and installed models need no network."
    ),
    (
        "MDX stems keep the level of the song; audio-separator multiplies them by the song's peak and then subtracts the result "
        "from the song at another level. Songs with a peak of 1 give the same result."
    ),
    "VR stems are as long as the song; audio-separator drops the last partial frame.",
    "RoFormers with `zero_dc` in their configuration, which is the default, have no DC offset; audio-separator ignores the option.",
    (
        "Members of an ensemble are combined at their own levels, all at once and in floating point. audio-separator writes each to "
        "files first, which lowers stems above `--normalization` individually."
    ),
    "Sample values are rounded; audio-separator truncates them, and writes 16 bits of precision even into files with 24.",
    (
        "`--sample_rate` resamples the results; audio-separator runs the network at that rate, for which it was not made. "
        "`--mdxc_pitch_shift` uses another resampler."
    ),
    (
        "For long songs, the length of the windows comes from the configuration even if it has no `dim_t`, from which "
        "audio-separator takes it."
    ),
    "`--single_stem` also works for networks with more than two stems, and naming a stem that a model does not have is an error.",
    (
        "`--chunk_duration`, `--use_torch_compile` and `--use_directml` are accepted with a note that they have no effect: songs of "
        "any length are streamed. Batch sizes change only speed and memory use. `--mdx_hop_length` must be 1024."
    ),
    "Formats are WAV, FLAC, MP3, OGG, Opus, AIFF and M4A, without FFmpeg; other formats have status 2.",
    "Two songs with the same name do not overwrite each other's results: the second is called `song (2)`.",
    "Nothing is half-written: the stems of a song appear together.",
)
