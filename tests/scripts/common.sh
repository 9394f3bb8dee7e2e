# Shared by the test scripts: finds Python, programs, device and song, and runs programs so that none outlives the
# script. Sourced, not run. Works with the bash 3.2 of macOS.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
OUTPUT="${DSU_BENCHMARK_OUTPUT:-$ROOT/tests/benchmark_output}"
CHILD=

complain() {
    echo "$*" >&2
    exit 1
}

# The comment at the head of a script is its help.
show_help() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$1"
    exit 0
}

# Run a program so that a signal to this script ends it as well.
run() {
    local status=0
    "$@" &
    CHILD=$!
    wait "$CHILD" || status=$?
    CHILD=
    return "$status"
}

# Run a module of this project from any current folder.
run_module() {
    PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}" run "$PYTHON" -m "$@"
}

end_child() {
    trap - INT TERM
    if [ -n "$CHILD" ]; then
        kill -TERM "$CHILD" 2>/dev/null
        wait "$CHILD" 2>/dev/null
    fi
    exit "$1"
}

trap 'end_child 130' INT
trap 'end_child 143' TERM

# The project's own Python, if it exists.
find_python() {
    if [ -x "$ROOT/.venv/bin/python" ]; then
        PYTHON="$ROOT/.venv/bin/python"
    else
        PYTHON="$(command -v python3)" || complain "There is no python3. Install Python 3.11 or newer."
    fi
}

# PROGRAM: options that select the frozen workers, or else the scripts.
find_programs() {
    if [ "${DSU_EXE_DIR-unset}" = "" ]; then
        PROGRAM=(--python)
        echo "Using the Python scripts, since DSU_EXE_DIR is empty."
    elif [ -n "${DSU_EXE_DIR:-}" ]; then
        [ -d "$DSU_EXE_DIR" ] || complain "DSU_EXE_DIR: there is no folder \`$DSU_EXE_DIR\`."
        PROGRAM=(--exe "$DSU_EXE_DIR")
        echo "Using the programs in $DSU_EXE_DIR."
    elif [ -f "$ROOT/dist/dsu/VERSION.txt" ]; then
        PROGRAM=(--exe "$ROOT/dist/dsu")
        echo "Using the programs in dist/dsu."
    else
        PROGRAM=(--python)
        echo "Using the Python scripts, since there is no build in dist/dsu."
    fi
}

# On Apple silicon `mps` explicitly, so that a build without it fails instead of measuring the CPU.
find_device() {
    DEVICE="${DSU_DEVICE:-auto}"
    if [ -z "${DSU_DEVICE:-}" ] && [ "$(uname -s)" = Darwin ] && [ "$(uname -m)" = arm64 ]; then
        DEVICE=mps
    fi
    echo "Device: $DEVICE"
}

# SONG: the test song of this many seconds, made if missing, or DSU_TEST_INPUT.
find_song() {
    if [ -n "${DSU_TEST_INPUT:-}" ]; then
        [ -f "$DSU_TEST_INPUT" ] || complain "DSU_TEST_INPUT: there is no file \`$DSU_TEST_INPUT\`."
        SONG="$DSU_TEST_INPUT"
    else
        SONG="$ROOT/tests/audio/test_$1s.wav"
        if [ ! -f "$SONG" ]; then
            echo "Making $SONG, which is missing."
            run "$PYTHON" "$ROOT/tests/generate_test_audio.py" --seconds "$1" || complain "Could not make the song."
        fi
    fi
    echo "Song: $SONG"
}

# Time start, load and separations of a worker. Arguments: its name, the JSON file, further options.
benchmark() {
    local name="$1" json="$2"
    shift 2
    run "$PYTHON" "$ROOT/tests/benchmark_worker_e2e.py" "${PROGRAM[@]}" --worker "$name" --input "$SONG" \
        --output-dir "$OUTPUT/$name" --device "$DEVICE" --json "$json" "$@"
}
