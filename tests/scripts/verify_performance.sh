#!/usr/bin/env bash
# Time a worker and judge it by ratios, before a release.
#
#   tests/scripts/verify_performance.sh [bsroformer|demucs|audio-separator|apollo|audiosep] [--save FILE]
#                                       [--baseline FILE] [--tolerance X]
#
# The default is bsroformer, which runs with --batch-size 4. Prints the timings, then their ratios: some have fixed bounds
# (such as warm to cold), others are compared with --baseline, a file written by --save; none may exceed X times (1.5) its
# earlier value. Seconds are never judged.
#
# DSU_EXE_DIR           the folder of the frozen workers; default dist/dsu; empty for the Python scripts
# DSU_DEVICE            cpu, mps, cuda; default mps on Apple silicon, elsewhere the worker's choice
# DSU_TEST_INPUT        another song than tests/audio/test_4s.wav
# DSU_MODELS            the models directory
# DSU_BENCHMARK_OUTPUT  another output folder
#
# Exit status: 0; 1 if the worker failed or a ratio is too large; 2 if the command line is wrong.

set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

NAME=bsroformer
case "${1:-}" in
    -h | --help) show_help "${BASH_SOURCE[0]}" ;;
    bsroformer | demucs | audio-separator | apollo | audiosep)
        NAME="$1"
        shift
        ;;
    "" | --*) ;;
    *)
        echo "usage: verify_performance.sh [bsroformer|demucs|audio-separator|apollo|audiosep] [--save FILE]" \
            "[--baseline FILE] [--tolerance X]" >&2
        exit 2
        ;;
esac

find_python
run_module tools.performance_ratios "$@" || exit # reports wrong options before minutes are spent
find_programs
find_device
find_song 4
mkdir -p "$OUTPUT" || complain "Cannot create $OUTPUT. Set DSU_BENCHMARK_OUTPUT to another folder."

json="$OUTPUT/verify_$NAME.json"
rm -f "$json"
if [ "$NAME" = bsroformer ]; then
    benchmark "$NAME" "$json" --repeat 3 --batch-size 4 || exit 1
else
    benchmark "$NAME" "$json" --repeat 3 || exit 1
fi
echo
run_module tools.performance_ratios "$json" "$@"
