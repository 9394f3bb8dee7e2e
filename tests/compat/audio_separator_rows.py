"""What users of audio-separator's command line do, and what comes of it with dsu-audio-separator."""

from rows import Row

TITLE = "audio-separator: the command line"
INTRODUCTION = """
`dsu-audio-separator` takes the options of `audio-separator` 0.47, with its meanings and defaults, and writes the same files
under the same names. All its spellings are accepted, with `_` or `-`, and so are unique beginnings of them. Messages go to
stderr in its form, with a bar that tells the percentage; the last line names the files.
"""

# Separations of a song with each kind of model, run by both programs; exit status, names, formats and samples are compared.
SEPARATIONS = (
    Row("-m vr.pth song.wav", "both stems of a VR model, as FLAC in the working directory"),
    Row("-m mdx.onnx --mdx_segment_size=32 song.wav", "both stems of an MDX model"),
    Row("-m roformer.ckpt song.wav", "the stems of a BS-RoFormer, with its Hamming windows"),
    Row("-m melband.ckpt song.wav", "the stems of a Mel-Band RoFormer"),
    Row("-m mdx23c.ckpt song.wav", "the stems of an MDX23C network, with its rectangular windows"),
    Row("-m target.ckpt song.wav", "a network with one target also gives the rest"),
    Row("-m drums.ckpt song.wav", "a network with four stems gives all of them"),
    Row("-m demucs.yaml --demucs_shifts=0 song.wav", "the stems of a Demucs bag, with capitals"),
    Row("-m vr.pth --output_dir=out --output_format=WAV song.wav", "another folder and format"),
    Row("-m mdx23c.ckpt deep.wav", "files as deep as the song, here 24 bits"),
    Row("-m mdx23c.ckpt mono.wav", "stereo stems of a mono song"),
    Row("-m mdx23c.ckpt 'my__song: a?.wav'", "names without forbidden characters and runs of underscores"),
    Row("-m mdx23c.ckpt --single_stem=Vocals song.wav", "one stem, whatever its case"),
    Row("-m vr.pth --single_stem=Instrumental song.wav", "the other stem of a VR model"),
    Row('-m mdx23c.ckpt --custom_output_names={"Vocals":"my__voice"} song.wav', "names of the user's own, tidied"),
    Row("-m mdx23c.ckpt --normalization=0.5 song.wav", "song and stems no louder than asked"),
    Row("-m mdx23c.ckpt --amplification=0.8 quiet.wav", "a quiet song and its stems as loud as asked"),
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
    Row("", "help on stdout, and status 1: there is nothing to do"),
    Row("--mdx_overlap=a song.wav", "a wrong value has status 2"),
    Row("--nonsense song.wav", "an unknown option has status 2"),
    Row("--list_format=xml -l", "one that is none of the choices has status 2"),
    Row("--custom_output_names=x song.wav", "JSON that is none has status 2"),
    Row("--use_autocast --use_native_fp16 song.wav", "options that exclude each other have status 2"),
    Row("-m nobody.ckpt song.wav", "an unknown model has status 1"),
    Row("-m mdx23c.ckpt missing.wav", "a missing song has status 1"),
    Row("-m mdx23c.ckpt --normalization=2 song.wav", "a level beyond full scale has status 1"),
    Row("--ensemble_preset=nobody song.wav", "an unknown ensemble has status 1"),
    Row("--log_level=loud song.wav", "an unknown level of messages has status 1"),
    Row("-v", "the version on stdout"),
    Row("-e", "what it runs on, on stderr"),
    Row("--list_presets", "the nine ensembles with their numbers of models and algorithms"),
    Row("-l --list_filter=filename --list_limit=3", "a table of models"),
    Row("-l --list_format=json", "one JSON document: an object for each kind, with models by name"),
)
ROWS = (*SEPARATIONS, *OTHERS)

DIFFERENCES = (
    (
        "Models lie in DSU's models directory unless `--model_file_dir` or `AUDIO_SEPARATOR_MODEL_DIR` names another; there, and in "
        "folders below it, they are found whatever program downloaded them. Lists and parameters of models come with DSU, so "
        "`-l` and models that are there need no network."
    ),
    (
        "MDX stems keep the level of the song, where audio-separator multiplies them by the song's peak and then subtracts the "
        "result from the song at another level. Songs with a peak of 1 give the same."
    ),
    "VR stems are as long as the song; audio-separator drops the last partial frame.",
    "RoFormers whose configuration says `zero_dc`, which is the default, have no DC offset; audio-separator ignores the option.",
    (
        "Members of an ensemble are combined at their own levels, all at once and in floating point. audio-separator writes each to "
        "files first, where stems above `--normalization` are lowered one by one."
    ),
    "Sample values are rounded; audio-separator cuts them off, and writes 16 bits also where the file has 24.",
    (
        "`--sample_rate` resamples the results; audio-separator runs the network on a song at that rate, for which it was not made. "
        "`--mdxc_pitch_shift` uses another resampler."
    ),
    (
        "Windows of long songs are as long as the configuration says where it states no `dim_t`, which is where audio-separator "
        "takes them from."
    ),
    "`--single_stem` also counts for networks with more than two stems, and a stem that a model does not have is an error.",
    (
        "`--chunk_duration`, `--use_torch_compile` and `--use_directml` are accepted and noted: songs of any length are streamed. "
        "Batch sizes change nothing but speed and memory. `--mdx_hop_length` must be 1024."
    ),
    "Formats are WAV, FLAC, MP3, OGG, Opus, AIFF and M4A, without FFmpeg; others have status 2.",
    "Two songs of the same name do not overwrite each other's results: the second is called `song (2)`.",
    "Nothing is half-written: the stems of a song appear together.",
)
