#!/usr/bin/env bash
# Time all workers with a song of 4 or 40 seconds, on macOS and Linux.
#
#   tests/run_benchmarks_mac.sh [4|40]
#
# Prints the figures of each worker and a table of all; writes tests/benchmark_output/benchmark_NAME_SECONDS.json.
# Uses the workers of dist/dsu, or else the Python scripts, and the models in DSU_MODELS or the default models directory.
# For a worker without models, a small random network is made, which the output says.
#
# DSU_EXE_DIR           the folder of the frozen workers; default dist/dsu; empty for the Python scripts
# DSU_MODELS            the models directory
# DSU_DEVICE            cpu, mps, cuda; default mps on Apple silicon, elsewhere the worker's choice
# DSU_TEST_INPUT        another song
# DSU_BENCHMARK_OUTPUT  another output folder
#
# Exit status: 0; 1 if a worker failed, after the others were timed; 2 if the command line is wrong.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/scripts/common.sh"

case "${1:-4}" in
    4 | 40) SECONDS_OF_SONG="${1:-4}" ;;
    -h | --help) show_help "${BASH_SOURCE[0]}" ;;
    *)
        echo "usage: run_benchmarks_mac.sh [4|40]" >&2
        exit 2
        ;;
esac

find_python
find_programs
find_device
find_song "$SECONDS_OF_SONG"
mkdir -p "$OUTPUT" || complain "Cannot create $OUTPUT. Set DSU_BENCHMARK_OUTPUT to another folder."

results=()
failed=
for name in demucs bsroformer audio-separator apollo audiosep; do
    echo
    echo "== $name"
    json="$OUTPUT/benchmark_${name}_${SECONDS_OF_SONG}s.json"
    rm -f "$json"
    if benchmark "$name" "$json"; then
        results+=("$json")
    else
        failed="$failed $name"
    fi
done

echo
if [ "${#results[@]}" -gt 0 ]; then
    run_module benchmarks.comparison "${results[@]}" || failed="$failed table"
fi
[ -z "$failed" ] || complain "Failed:$failed. See the output above."
