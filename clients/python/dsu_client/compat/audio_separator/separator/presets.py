"""The ensembles that audio-separator has names for: their models, and how the results are combined."""

from __future__ import annotations

PRESETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "instrumental_clean": (
        "uvr_max_spec",
        ("mel_band_roformer_instrumental_fv7z_gabox.ckpt", "bs_roformer_instrumental_resurrection_unwa.ckpt"),
    ),
    "instrumental_full": (
        "uvr_max_spec",
        ("melband_roformer_inst_v1e_plus.ckpt", "mel_band_roformer_instrumental_becruily.ckpt"),
    ),
    "instrumental_balanced": (
        "uvr_max_spec",
        ("mel_band_roformer_instrumental_instv8_gabox.ckpt", "bs_roformer_instrumental_resurrection_unwa.ckpt"),
    ),
    "instrumental_low_resource": (
        "avg_fft",
        ("bs_roformer_instrumental_resurrection_unwa.ckpt", "UVR-MDX-NET-Inst_HQ_5.onnx"),
    ),
    "vocal_balanced": (
        "avg_fft",
        ("bs_roformer_vocals_resurrection_unwa.ckpt", "melband_roformer_big_beta6x.ckpt"),
    ),
    "vocal_clean": (
        "min_fft",
        ("bs_roformer_vocals_revive_v2_unwa.ckpt", "mel_band_roformer_kim_ft2_bleedless_unwa.ckpt"),
    ),
    "vocal_full": (
        "max_fft",
        ("bs_roformer_vocals_revive_v3e_unwa.ckpt", "mel_band_roformer_vocals_becruily.ckpt"),
    ),
    "vocal_rvc": (
        "avg_wave",
        ("melband_roformer_big_beta6x.ckpt", "mel_band_roformer_vocals_fv4_gabox.ckpt"),
    ),
    "karaoke": (
        "avg_wave",
        (
            "mel_band_roformer_karaoke_aufr33_viperx_sdr_10.1956.ckpt",
            "mel_band_roformer_karaoke_gabox_v2.ckpt",
            "mel_band_roformer_karaoke_becruily.ckpt",
        ),
    ),
}
