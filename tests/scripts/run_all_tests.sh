#!/usr/bin/env bash
# Run every Python test program once: benchmarks of all workers, all BS-RoFormer models, the profiles.
#
#   tests/scripts/run_all_tests.sh
#
# BS-RoFormer runs with --batch-size 4. A failure does not stop the rest; failures are listed at the end. Times are judged
# only by their ratios. Uses the frozen workers of dist/dsu, or else the Python scripts; and installed models, or else
# small random networks. `python3 run.py test` runs the tests of the sources.
#
# DSU_EXE_DIR           the folder of the frozen workers; default dist/dsu; empty for the Python scripts
# DSU_MODELS            the models directory
# DSU_DEVICE            cpu, mps, cuda; default mps on Apple silicon, elsewhere the worker's choice
# DSU_TEST_INPUT        another song than tests/audio/test_4s.wav
# DSU_BENCHMARK_OUTPUT  another output folder
#
# Exit status: 0; 1 if a program failed; 2 if the command line is wrong.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case "${1:-}" in
    "") ;;
    -h | --help) show_help "${BASH_SOURCE[0]}" ;;
    *)
        echo "usage: run_all_tests.sh" >&2
        exit 2
        ;;
esac

find_python
find_programs
find_device
find_song 4
mkdir -p "$OUTPUT" || complain "Cannot create $OUTPUT. Set DSU_BENCHMARK_OUTPUT to another folder."

passed=()
failed=()

# Arguments: a title, and the command to run.
attempt() {
    local title="$1"
    shift
    echo
    echo "== $title"
    if "$@"; then
        passed+=("$title")
    else
        failed+=("$title")
    fi
}

bsroformer_models() {
    local exe=()
    if [ "${PROGRAM[0]}" = --exe ]; then
        exe=(--exe "${PROGRAM[1]}/dsu-bsroformer")
    fi
    run "$PYTHON" "$ROOT/tests/run_bsroformer_models.py" ${exe[@]+"${exe[@]}"} --input "$SONG" --device "$DEVICE" \
        --batch-size 4 --output-dir "$OUTPUT/bsroformer_models" --json "$OUTPUT/bsroformer_models.json"
}

profile() {
    local name="$1"
    shift
    run "$PYTHON" "$ROOT/scripts/utils/profile_$name.py" --input "$SONG" --device "$DEVICE" \
        --json "$OUTPUT/profile_$name.json" "$@"
}

for name in demucs bsroformer audio-separator apollo audiosep; do
    json="$OUTPUT/all_$name.json"
    rm -f "$json"
    if [ "$name" = bsroformer ]; then
        attempt "benchmark $name" benchmark "$name" "$json" --batch-size 4
    else
        attempt "benchmark $name" benchmark "$name" "$json"
    fi
    if [ -f "$json" ]; then
        attempt "ratios $name" run_module tools.performance_ratios "$json"
    fi
done
attempt "BS-RoFormer models" bsroformer_models
attempt "profile demucs" profile demucs
attempt "profile bsroformer" profile bsroformer --batch-size 4

echo
echo "${#passed[@]} passed, ${#failed[@]} failed"
for title in ${failed[@]+"${failed[@]}"}; do
    echo "FAILED: $title"
done
[ "${#failed[@]}" -eq 0 ]
