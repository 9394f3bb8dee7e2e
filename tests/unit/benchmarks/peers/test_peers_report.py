"""The tables and charts of the benchmark beside other programs."""

from xml.etree import ElementTree as ET

from benchmarks.peers import chart, report
from benchmarks.peers.programs import OURS, OURS_FP32

RUNS = {OURS_FP32: [4.0, 5.0], OURS: [2.0, 2.5], "same": [8.0, 9.0], "other": [1.0, 1.0]}
AGREEMENT = {
    OURS_FP32: {OURS: 40.0},
    OURS: {OURS_FP32: 40.0},
    "same": {OURS_FP32: 120.0, OURS: 40.0},
    "other": {OURS_FP32: 20.0, OURS: 20.0},
}
CONTEST = {
    "settings": "defaults",
    "audio_s": 2.0,
    "runs_s": RUNS,
    "peak_bytes": dict.fromkeys(RUNS, 500 << 20),
    "agreement_db": AGREEMENT,
    "failed": {"broken": "exit status 1: a|b"},
}
FORWARD = {
    "audio_s": 2.0,
    "load_s": {OURS: 0.1, "same": 0.5, "other": 0.5},
    "runs_s": RUNS,
    "agreement_db": AGREEMENT,
    "flops": 100_000_000_000,
    "products_s": {OURS_FP32: 3.0, OURS: 1.0},
}
ROWS = {"net": {"title": "Net", "contests": [CONTEST], "forward": FORWARD}}
MEASURED = {"precision": "bf16", "threads": 2, "rounds": 2, "versions": "demucs 4.1.0", "rows": ROWS}


def lines(text):
    return text.splitlines()[2:]


def test_ratios_are_printed_only_where_results_agree():
    """The least of the runs, with ours over theirs in both precisions; what differs or failed has no ratio."""
    assert lines(report.programs_table(ROWS)) == [
        "| Net | defaults | 2 | DSU fp32 | 4.00 | 500 |  |  |  |",
        "|  |  |  | DSU | 2.00 | 500 | 40 |  | 0.50 of fp32 |",
        "|  |  |  | same | 8.00 | 500 | 120 | 0.50 | 0.25 |",
        "|  |  |  | other | 1.00 | 500 | 20 | differs | differs |",
        "|  |  |  | broken | failed |  |  | exit status 1: a/b |  |",
    ]


def test_half_precision_that_is_too_far_off_has_no_ratio():
    """Neither over single precision nor over the other program, which agrees with the latter."""
    agreement = {**AGREEMENT, OURS: {OURS_FP32: 30.0}, "same": {OURS_FP32: 120.0, OURS: 30.0}}
    rows = {"net": {"title": "Net", "contests": [{**CONTEST, "agreement_db": agreement}]}}
    _, half, same, *_ = lines(report.programs_table(rows))
    assert half.endswith("| differs |")
    assert same.endswith("| 0.50 | differs |")


def test_bare_networks_have_the_time_to_load():
    """Ours once, since both precisions start from what was read."""
    assert lines(report.forward_table(ROWS))[:3] == [
        "| Net | 2 | DSU fp32 | 0.100 | 4.000 |  |  |  |",
        "|  |  | DSU |  | 2.000 | 40 |  | 0.50 of fp32 |",
        "|  |  | same | 0.500 | 8.000 | 120 | 0.50 | 0.25 |",
    ]


def test_the_share_of_the_ceiling_is_that_of_the_products():
    """Operations per second of audio, the rate of the products alone, ours, and their ratio, in both precisions."""
    assert lines(report.ceiling_table(ROWS, "bf16")) == ["| Net | 50.0 | 33 | 25 | 0.75 | 100 | 50 | 0.50 |"]
    assert lines(report.ceiling_table(ROWS, "fp32")) == ["| Net | 50.0 | 33 | 25 | 0.75 |"]


def test_rows_whose_network_failed_or_was_not_timed_are_left_out():
    """The other tables still have them."""
    rows = {"a": {"title": "A", "contests": [CONTEST]}, "b": {"title": "B", "contests": [], "forward": {"failed": "x"}}}
    assert lines(report.forward_table(rows)) == lines(report.ceiling_table(rows, "bf16")) == []
    assert "### Bare networks" not in report.section({**MEASURED, "rows": rows})


def test_starts_are_relative_to_torch():
    """The least of the runs; a program without a first line of its own has none."""
    starts = {"dsu": [(0.1, 2.0), (0.2, 1.0)], "import torch": [(None, 2.0)], "demucs": [(None, 3.0)]}
    assert lines(report.starts_table(starts)) == [
        "| dsu | 0.100 | 1.000 | 0.50 |",
        "| import torch |  | 2.000 | 1.00 |",
        "| demucs |  | 3.000 | 1.50 |",
    ]


def test_operations_have_the_columns_of_earlier_tables():
    """Total, processing and overhead, and whether the model was loaded for the job."""
    found = {"models kept: 2": [("Net (COLD)", 3.0, 2.0, True), ("Net (CACHED)", 2.0, 2.0, False)]}
    assert lines(report.operations_table(found)) == [
        "| models kept: 2 | Net (COLD) | 3.00 | 2.00 | 1.00 | loaded |",
        "|  | Net (CACHED) | 2.00 | 2.00 | 0.00 | kept |",
    ]


def test_configurations_are_compared_with_the_first():
    """Job by job, and the whole sequence relative to one worker."""
    found = {"one worker": [("a", 1.0, 1.0), ("all", 4.0, 1.0)], "another": [("a", 2.0, 1.0), ("all", 6.0, 1.0)]}
    assert lines(report.configurations_table(found)) == [
        "| a | 1.00 | 2.00 |",
        "| all | 4.00 | 6.00 |",
        "| relative to one worker | 1.00 | 1.50 |",
    ]


def test_the_section_has_what_was_measured():
    """With the conditions under which ratios are printed, and nothing that was left out."""
    text = report.section(MEASURED)
    assert "60 dB" in text
    assert "35 dB" in text
    assert "demucs 4.1.0" in text
    assert text.count("### ") == 3
    more = {"starts": {"import torch": [(None, 1.0)]}, "switching": {"a": [("b", 1.0, 1.0, True)]}}
    assert report.section({**MEASURED, **more}).count("### ") == 5


def test_charts_show_only_what_is_comparable():
    """Seconds for a second of audio, of ours and of programs whose results agree."""
    for drawn in (report.programs_chart(ROWS), report.forward_chart(ROWS)):
        texts = [each.text for each in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
        assert {"Net", OURS_FP32, OURS, "same", "4.00 s", "2.00 s", "1.00 s"} <= set(texts)
        assert "other" not in texts


def test_bars_are_as_long_as_their_values():
    """All on one scale, and names cannot break the drawing."""
    drawn = chart.bars("a < b", {"one": {"x": 1.0, "y": 2.0}, "two & three": {"x": 4.0}}, "s")
    found = ET.fromstring(drawn).findall("{http://www.w3.org/2000/svg}rect")
    short, middle, long = [float(each.get("width")) for each in found[1:]]
    assert long == 4 * short == 2 * middle
