# What the test scripts share: which Python, programs, device and song, and running one program after another so that
# none outlives the script. Sourced, not run. It needs no more than the bash 3.2 of macOS.

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

# Run a program in such a way that a signal to this script ends it as well.
run() {
    local status=0
    "$@" &
    CHILD=$!
    wait "$CHILD" || status=$?
    CHILD=
    return "$status"
}

# Run a module of this project, wherever the script was started.
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

# The project's own Python, where there is one.
find_python() {
    if [ -x "$ROOT/.venv/bin/python" ]; then
        PYTHON="$ROOT/.venv/bin/python"
    else
        PYTHON="$(command -v python3)" || complain "There is no python3. Install Python 3.11 or newer."
    fi
}

# PROGRAM: arguments that choose the frozen workers where they were built, else the scripts.
find_programs() {
    if [ "${DSU_EXE_DIR-unset}" = "" ]; then
        PROGRAM=(--python)
        echo "The workers are the Python scripts, since DSU_EXE_DIR is empty."
    elif [ -n "${DSU_EXE_DIR:-}" ]; then
        [ -d "$DSU_EXE_DIR" ] || complain "DSU_EXE_DIR names \`$DSU_EXE_DIR\`, and there is no such folder."
        PROGRAM=(--exe "$DSU_EXE_DIR")
        echo "The workers are the programs in $DSU_EXE_DIR."
    elif [ -f "$ROOT/dist/dsu/VERSION.txt" ]; then
        PROGRAM=(--exe "$ROOT/dist/dsu")
        echo "The workers are the programs in dist/dsu."
    else
        PROGRAM=(--python)
        echo "There is no build in dist/dsu, so the workers are the Python scripts."
    fi
}

# On Apple silicon `mps` by name, so that a build without it fails here and does not measure the processor.
find_device() {
    DEVICE="${DSU_DEVICE:-auto}"
    if [ -z "${DSU_DEVICE:-}" ] && [ "$(uname -s)" = Darwin ] && [ "$(uname -m)" = arm64 ]; then
        DEVICE=mps
    fi
    echo "The device asked for is $DEVICE."
}

# SONG: the file of so many seconds, made if it is not there. DSU_TEST_INPUT names another one.
find_song() {
    if [ -n "${DSU_TEST_INPUT:-}" ]; then
        [ -f "$DSU_TEST_INPUT" ] || complain "DSU_TEST_INPUT names \`$DSU_TEST_INPUT\`, and there is no such file."
        SONG="$DSU_TEST_INPUT"
    else
        SONG="$ROOT/tests/audio/test_$1s.wav"
        if [ ! -f "$SONG" ]; then
            echo "There is no $SONG, so it is made."
            run "$PYTHON" "$ROOT/tests/generate_test_audio.py" --seconds "$1" || complain "The song could not be made."
        fi
    fi
    echo "The song is $SONG."
}

# Time the start, load and separations of a worker: NAME, the JSON file, further arguments.
benchmark() {
    local name="$1" json="$2"
    shift 2
    run "$PYTHON" "$ROOT/tests/benchmark_worker_e2e.py" "${PROGRAM[@]}" --worker "$name" --input "$SONG" \
        --output-dir "$OUTPUT/$name" --device "$DEVICE" --json "$json" "$@"
}
