#!/usr/bin/env bash
# Run every Python test program once: benchmarks of all workers, all BS-RoFormer models, the profiles.
#
#   tests/scripts/run_all_tests.sh
#
# BS-RoFormer runs with --batch-size 4. What fails does not keep the rest from running; the end says what did. Times are
# judged by their ratios only. Frozen workers of dist/dsu are used where they are, else the Python scripts; models that
# are installed, else small random networks. The tests of the sources are `python3 run.py test`.
#
# DSU_EXE_DIR           the folder of the frozen workers; default dist/dsu; where it is empty, the Python scripts
# DSU_MODELS            the models directory
# DSU_DEVICE            cpu, mps, cuda; mps on Apple silicon, else what the worker chooses
# DSU_TEST_INPUT        another song than tests/audio/test_4s.wav
# DSU_BENCHMARK_OUTPUT  another folder for what is written
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
mkdir -p "$OUTPUT" || complain "$OUTPUT cannot be made. Name another folder in DSU_BENCHMARK_OUTPUT."

passed=()
failed=()

# A title, and what to run.
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
