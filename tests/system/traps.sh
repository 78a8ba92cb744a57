# shellcheck shell=bash
# Traps that users lay: file systems that never answer. Source it after lib.sh.
#
#     hung_mount DIR [OPTIONS]   mounts one on DIR (hungfs.c), which still answers; its program is DIR/prog
#     hang DIR                   from now on it answers nothing; proved on somebody who looks
#     release_all                ends them all, and with them who waits there
HUNGFS=$BUILD/tests/hungfs
declare -A SERVER=() SAID_AT=()
MOUNTED=0

hung_mount() {
    local dir=$1 said
    shift
    [ -c /dev/fuse ] || skip "there is no /dev/fuse"
    MOUNTED=$((MOUNTED + 1))
    said=$T/hungfs.$MOUNTED
    "$HUNGFS" "$@" "$dir" "$BUILD/tests/hammer" >"$said" 2>&1 &
    SERVER[$dir]=$!
    SAID_AT[$dir]=$said
    until_true 5 grep -qs mounted "$said" || fail "no FUSE at $dir: $(cat "$said")"
}

# never_answers COMMAND...: who does this is still at it after a second. It is killed, and may stay until release_all.
never_answers() {
    local pid
    "$@" >/dev/null 2>&1 &
    pid=$!
    disown "$pid"
    if until_true 1 is_gone "$pid"; then
        return 1
    fi
    kill -KILL "$pid"
}

hang() {
    kill -USR1 "${SERVER[$1]}"
    until_true 5 grep -q hung "${SAID_AT[$1]}" || fail "the server at $1 does not hang"
    never_answers stat "$1/prog" || fail "no trap: $1/prog can be looked up"
}

release_all() {
    local dir
    for dir in "${!SERVER[@]}"; do
        kill -KILL "${SERVER[$dir]}" 2>/dev/null
        wait "${SERVER[$dir]}" 2>/dev/null
        umount -l "$dir"
    done
    SERVER=()
}

# undisturbed PROGRAM FILE [SECONDS]: opens of an allowed program all that time; nobody waits, nothing is rescued.
undisturbed() {
    local rescues
    rescues=$(metric fileward_rescues_total)
    expect_ok "$1" -s "${3:-2}" "$2"
    echo "undisturbed: $OUTPUT"
    jq -e '.eperm + .ebusy + .other == 0 and .ok > 0 and .worst_us < 300000' <<<"$OUTPUT" >/dev/null ||
        fail "somebody waited, or was refused: $OUTPUT"
    assert_equal "$(metric fileward_rescues_total)" "$rescues" "rescues"
}
