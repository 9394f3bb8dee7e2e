#!/usr/bin/env bash
# Time all workers with a song of 4 or 40 seconds, on macOS and Linux.
#
#   tests/run_benchmarks_mac.sh [4|40]
#
# Prints the figures of each worker and a table of all; writes tests/benchmark_output/benchmark_NAME_SECONDS.json.
# The workers are those of dist/dsu, or else the Python scripts. Models are looked for in DSU_MODELS or the default
# models directory; where there is none for a worker, a small random network is made, and that is said.
#
# DSU_EXE_DIR           the folder of the frozen workers; default dist/dsu; where it is empty, the Python scripts
# DSU_MODELS            the models directory
# DSU_DEVICE            cpu, mps, cuda; mps on Apple silicon, else what the worker chooses
# DSU_TEST_INPUT        another song
# DSU_BENCHMARK_OUTPUT  another folder for what is written
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
mkdir -p "$OUTPUT" || complain "$OUTPUT cannot be made. Name another folder in DSU_BENCHMARK_OUTPUT."

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
[ -z "$failed" ] || complain "Failed:$failed. What each said is above."
