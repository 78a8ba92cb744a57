# shellcheck shell=bash
# What system tests stand on. A test is a bash script that begins so:
#
#     # promise: what this proves, in a line
#     . tests/system/lib.sh
#     setup
#     policy <<END ... END
#     start
#
# and runs from the top of the repository, by tests/run or by hand as root. Everything happens on a tmpfs at $T in a
# private mount namespace: a permission mark never lies on the machine's own files.
#
#   $T/guarded  for files to guard        $T/conf  the policy        $T/run  the socket        $T/log  the records
#   $DAEMON     pid of the keeper         $LISTEN  host:port of HTTP
#
# Whatever may block runs under `timeout -s KILL`, so a command's parent is `timeout`, and this shell is its ancestor.
set -u
export LC_ALL=C
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
FILEWARD=${FILEWARD:-$BUILD/fileward}
FILEWARD_UID=${FILEWARD_UID:-60842} # the daemon's own user: a number, so that no account is needed
SLOWNESS=${SLOWNESS:-1} # by how much everything takes longer than on real processors (tests/kernel)
COMMAND_SECONDS=${COMMAND_SECONDS:-$((10 * SLOWNESS))}
DAEMON=
OWN_RUN=
MADE=() # directories of the machine's that it did not have

# --- results ----------------------------------------------------------------------------------------------------------

where() {
    local i
    for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
        if [ "${BASH_SOURCE[i]}" != "${BASH_SOURCE[0]}" ]; then
            echo "${BASH_SOURCE[i]##*/}:${BASH_LINENO[i - 1]}"
            return
        fi
    done
}

fail() {
    echo "FAIL at $(where): $*"
    if [ -s "${T:-}/stderr" ]; then
        echo "--- fileward said:"
        tail -n 40 "$T/stderr"
    fi
    exit 1
}

# The reason is the last line of output, where tests/run looks for it.
skip() {
    echo "$*"
    exit 77
}

# assert COMMAND...: it must succeed.
assert() {
    "$@" || fail "not so: $*"
}

# assert_equal GOT WANTED [WHAT]
assert_equal() {
    [ "$1" = "$2" ] || fail "${3:-value}: got '$1', expected '$2'"
}

# need PROGRAM...: skips where one is not installed.
need() {
    local program
    for program; do
        command -v "$program" >/dev/null || skip "$program is not installed"
    done
}

# not_sanitized WHY: skips where the daemon is built with sanitizers.
is_sanitized() {
    grep -qa __asan_init "$FILEWARD"
}

not_sanitized() {
    if is_sanitized; then
        skip "built with sanitizers: $*"
    fi
}

# --- the place --------------------------------------------------------------------------------------------------------

setup() {
    [ "$(id -u)" = 0 ] || skip "needs root"
    if [ -z "${FILEWARD_TEST_DIR:-}" ]; then
        # Run by hand: contained as tests/run would do it.
        FILEWARD_TEST_DIR=$(mktemp -d /run/fileward-test.XXXXXX) || exit 1
        export FILEWARD_TEST_DIR
        exec unshare -m --propagation private "$BUILD/tests/reaper" 3600 bash "$0"
    fi
    T=$FILEWARD_TEST_DIR
    trap finish EXIT
    # Time bounds are about the daemon, not about what else this machine does with its processors.
    echo -10 2>/dev/null >/proc/self/autogroup
    mount -t tmpfs -o mode=0755 fileward-test "$T" || fail "cannot mount a tmpfs at $T"
    mkdir "$T/guarded" "$T/conf" "$T/run" "$T/log"
    # What a daemon on this machine may have there is not the test's business, nor what a test leaves there the machine's.
    [ ! -d /run/fileward ] || hide /run/fileward
    hide /var/lib/fileward
    LISTEN=127.0.0.1:$(free_port) || exit 1
    LOG=$T/log/events.jsonl
    SOCKET=$T/run/fileward.sock
}

# hide DIR: an empty tmpfs in its place. If there is no such directory it is made, and goes with the test.
hide() {
    if [ ! -d "$1" ]; then
        mkdir "$1" || fail "cannot make $1"
        MADE+=("$1")
    fi
    mount -t tmpfs -o mode=0755 fileward-test "$1" || fail "cannot mount a tmpfs at $1"
}

# own_run: an empty /run of the test's own, with nothing in it but $T.
own_run() {
    OWN_RUN=yes
    if ! { mount --bind "$T" /mnt && mount -t tmpfs -o mode=0755 fileward-test /run && mkdir "$T" &&
        mount --move /mnt "$T"; }; then
        fail "cannot mount a tmpfs at /run"
    fi
}

finish() {
    local status=$?
    trap - EXIT
    if [ "$DAEMON" ]; then
        kill -KILL "$DAEMON" 2>/dev/null
    fi
    cd / || exit 1
    [ -z "$OWN_RUN" ] || umount -l /run
    umount -l "$T" "${MADE[@]}" 2>/dev/null
    rmdir "$T" "${MADE[@]}" 2>/dev/null
    exit $status
}

free_port() {
    local port hex
    for _ in {1..50}; do
        port=$((20000 + RANDOM % 10000))
        printf -v hex ':%04X ' "$port"
        if ! grep -qsF "$hex" /proc/net/tcp /proc/net/tcp6; then
            echo "$port"
            return
        fi
    done
    echo "no free port" >&2
    return 1
}

# --- the daemon -------------------------------------------------------------------------------------------------------

# policy ["KEY = VALUE"...] <<END: writes the policy; without a [fileward] section of its own it gets one that enforces,
# with these keys instead of or beside the usual ones.
policy() {
    local text
    text=$(cat)
    : >"$T/conf/fileward.ini"
    chmod 600 "$T/conf/fileward.ini"
    if ! grep -q '^\[fileward\]' <<<"$text"; then
        settings "$@" >"$T/conf/fileward.ini"
    fi
    printf '%s\n' "$text" >>"$T/conf/fileward.ini"
}

# settings ["KEY = VALUE"...]: the [fileward] section of tests. An empty VALUE leaves a key out.
settings() {
    local -A value=([mode]=enforce [listen]=$LISTEN [socket]=$SOCKET [log_file]=$LOG [user]=$FILEWARD_UID)
    local line key
    [ "$SLOWNESS" = 1 ] || value[timeout]=$((200 * SLOWNESS))ms
    for line; do
        value[${line%% *}]=${line#*= }
    done
    echo "[fileward]"
    for key in "${!value[@]}"; do
        [ -z "${value[$key]}" ] || echo "$key = ${value[$key]}"
    done
}

is_gone() {
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
    [[ ${line##*) } == [ZX]* ]]
}

ready_or_gone() {
    grep -q '^fileward: ready:' "$T/stderr" || is_gone "$DAEMON"
}

# start [ARGUMENTS]: starts the daemon and returns when it is ready.
start() {
    launch "$@"
    until_true 30 ready_or_gone || fail "fileward is not ready after 30 s"
    grep -q '^fileward: ready:' "$T/stderr" || fail "fileward ended before it was ready"
}

# launch [ARGUMENTS]: starts the daemon and does not wait, for those that shall not become ready.
launch() {
    [ -x "$FILEWARD" ] || fail "$FILEWARD is missing: run make"
    : >"$T/stderr"
    "$FILEWARD" run -c "$T/conf/fileward.ini" "$@" 2>>"${STDERR:-$T/stderr}" >"$T/stdout" </dev/null &
    DAEMON=$!
}

# stop: ends the daemon as a service manager does; its exit status is in $STATUS.
stop() {
    kill -TERM "$DAEMON" 2>/dev/null
    wait_for_end 20
}

# wait_for_end SECONDS: until the daemon ended by itself; its exit status is in $STATUS.
wait_for_end() {
    until_true "$1" is_gone "$DAEMON" || fail "fileward (pid $DAEMON) did not end within $1 s"
    wait "$DAEMON" 2>/dev/null
    # shellcheck disable=SC2034 # for the tests
    STATUS=$?
    DAEMON=
}

# guard ["KEY = VALUE"...] <<END: with this policy from here on; ends the daemon that runs and forgets its records.
guard() {
    policy "$@"
    [ -z "$DAEMON" ] || stop
    [ ! -e "$LOG" ] || : >"$LOG"
    start
}

# role_pid NAME: pid of the keeper, judge, scout, clerk or herald of the daemon; the eldest if there is a spare.
role_pid() {
    [ "$DAEMON" ] || fail "there is no daemon"
    if [ "$1" = keeper ]; then
        echo "$DAEMON"
    else
        pgrep --oldest --parent "$DAEMON" --exact "fileward-$1"
    fi
}

# --- doing and waiting ------------------------------------------------------------------------------------------------

# limited COMMAND...: killed (137) after $COMMAND_SECONDS. A function is called as it is: it limits itself.
limited() {
    if [ "$(type -t "$1")" = function ]; then
        "$@"
    else
        timeout -s KILL "$COMMAND_SECONDS" "$@"
    fi
}

# until_true SECONDS COMMAND...: tries until COMMAND succeeds; fails when the time is over.
until_true() {
    local end=$((${EPOCHREALTIME/./} + $1 * SLOWNESS * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
        sleep 0.02
    done
}

# as_user UID COMMAND...: as that user and its group, with no other groups and no capabilities.
as_user() {
    local uid=$1
    shift
    timeout -s KILL "$COMMAND_SECONDS" setpriv --reuid "$uid" --regid "$uid" --clear-groups -- "$@"
}

# expect_ok COMMAND...: it must succeed. What it printed is in $OUTPUT.
expect_ok() {
    local status
    OUTPUT=$(limited "$@" 2>&1 </dev/null)
    status=$?
    [ $status = 0 ] || fail "should succeed, status $status$(hung $status): $*: $OUTPUT"
}

# expect_eperm COMMAND...: it must fail with EPERM.
expect_eperm() {
    local status
    OUTPUT=$(limited "$@" 2>&1 </dev/null)
    status=$?
    [ $status != 0 ] || fail "should be refused, and succeeded: $*"
    [[ $OUTPUT == *"Operation not permitted"* ]] ||
        fail "should be refused with EPERM, status $status$(hung $status): $*: $OUTPUT"
}

# expect_busy COMMAND...: it must be released without a decision: EBUSY, or EPERM where the kernel cannot say EBUSY.
expect_busy() {
    local status wanted="Device or resource busy"
    OUTPUT=$(limited "$@" 2>&1 </dev/null)
    status=$?
    grep -q '"deny_errno":true' <<<"$(status_json | jq -c .)" || wanted="Operation not permitted"
    [ $status != 0 ] || fail "should be released, and succeeded: $*"
    [[ $OUTPUT == *"$wanted"* ]] || fail "should be released with $wanted, status $status$(hung $status): $*: $OUTPUT"
}

# expect_status STATUS COMMAND...: it must end with exactly that status.
expect_status() {
    local wanted=$1 status
    shift
    OUTPUT=$(limited "$@" 2>&1 </dev/null)
    status=$?
    [ $status = "$wanted" ] || fail "status $status$(hung $status) instead of $wanted: $*: $OUTPUT"
}

hung() {
    [ "$1" != 137 ] || echo " (hung or killed)"
}

# --- records and metrics ----------------------------------------------------------------------------------------------

# record_count EXPRESSION: how many records there are now for which the jq expression holds.
record_count() {
    [ -e "$LOG" ] || { echo 0 && return; }
    jq -n "[inputs | select(try ($1) catch false)] | length" "$LOG" 2>/dev/null || echo 0
}

a_record_has() {
    [ "$(record_count "$1")" -gt 0 ]
}

# record_has EXPRESSION: a record for which the jq expression holds must be there within 5 s.
record_has() {
    until_true 5 a_record_has "$1" ||
        fail "no record with $1; the last ones:
$(tail -n 15 "$LOG" 2>&1)"
}

# http PATH [CURL ARGUMENTS]: what the daemon answers over TCP.
http() {
    local path=$1
    shift
    curl -sS --max-time $((5 * SLOWNESS)) "$@" "http://$LISTEN$path"
}

status_json() {
    http /status
}

# http_status PATH [CURL ARGUMENTS]: the number only.
http_status() {
    http "$@" -o /dev/null -w '%{http_code}'
}

# metric SERIES: its value, e.g. metric 'fileward_marks{watch="a"}'; fails where there is no such series.
metric() {
    http /metrics |
        SERIES=$1 awk '{ n = length(ENVIRON["SERIES"]) }
            substr($0, 1, n + 1) == ENVIRON["SERIES"] " " { print substr($0, n + 2); found = 1 }
            END { exit !found }'
}

metric_is() {
    [ "$(metric "$1" 2>/dev/null)" = "$2" ]
}

# decided WATCH RULE OP DECISION VERDICT: so often, by the metrics. 0 where that cannot be.
decided() {
    metric "fileward_decisions_total{watch=\"$1\",rule=\"$2\",op=\"$3\",decision=\"$4\",verdict=\"$5\"}" || echo 0
}

# metric_becomes SERIES VALUE: within 5 s.
metric_becomes() {
    until_true 5 metric_is "$1" "$2" || fail "metric $1 is '$(metric "$1" 2>&1)', expected '$2'"
}
