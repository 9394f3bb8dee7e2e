#!/usr/bin/env bash
# Time a worker and judge it by ratios, before a release.
#
#   tests/scripts/verify_performance.sh [bsroformer|demucs|audio-separator|apollo|audiosep] [--save FILE]
#                                       [--baseline FILE] [--tolerance X]
#
# Without a name it is bsroformer, which runs with --batch-size 4. Prints the timings, then ratios of them: some must
# hold on every machine (warm below cold, and so on), others are compared with --baseline, a file that --save wrote
# before; none may be over X times (1.5) what it was. Seconds are never judged.
#
# DSU_EXE_DIR           the folder of the frozen workers; default dist/dsu; where it is empty, the Python scripts
# DSU_DEVICE            cpu, mps, cuda; mps on Apple silicon, else what the worker chooses
# DSU_TEST_INPUT        another song than tests/audio/test_4s.wav
# DSU_MODELS            the models directory
# DSU_BENCHMARK_OUTPUT  another folder for what is written
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
run_module tools.performance_ratios "$@" || exit # what is wrong with the options is said before minutes are spent
find_programs
find_device
find_song 4
mkdir -p "$OUTPUT" || complain "$OUTPUT cannot be made. Name another folder in DSU_BENCHMARK_OUTPUT."

json="$OUTPUT/verify_$NAME.json"
rm -f "$json"
if [ "$NAME" = bsroformer ]; then
    benchmark "$NAME" "$json" --repeat 3 --batch-size 4 || exit 1
else
    benchmark "$NAME" "$json" --repeat 3 || exit 1
fi
echo
run_module tools.performance_ratios "$json" "$@"
