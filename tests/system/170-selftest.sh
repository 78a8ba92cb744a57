# promise: the gallery: every known way to a guarded file, on every file system, by root and a user; nothing open but what SECURITY.md names, and closed by what is said to close it
# timeout: 600
. tests/system/lib.sh
setup

# The names of what may be open, and why: SECURITY.md, "What is not closed".
may_be_open='["moved-in-linked-out", "new-directory", "directory-moved-in", "directory-replaced", "stripped-marks",
    "stripped-by-rename", "snapshot", "preload", "ptrace", "forged-exe", "fd-before-read", "fd-before-write",
    "fd-before-map", "fd-before-truncate", "fd-before-list", "fd-handed-over", "truncate", "unlink", "rename", "chmod",
    "device-below", "another-listener", "reader-disguised-trunc"]'

# says EXPRESSION WORDS: it must hold for what the selftest said.
says() {
    jq -e "$1" "$T/said.json" >/dev/null || fail "$2: $(jq -c '[.count, (.routes[] | select(.result == "open" or
        .result == "wrong")), ([.routes[] | select(.result == "not-tried") | [.route, .why]] | unique),
        (.deaths[] | select(.ok | not))]' "$T/said.json"; tail -n 5 "$T/errors")"
}

"$FILEWARD" selftest --json >"$T/said.json" 2>"$T/errors"
status=$?
says 'type == "object"' "it says nothing"
says '[.routes[] | select(.result == "open" or .result == "wrong")] == []' "ways that should be closed are not"
says '[.deaths[] | select(.ok | not)] == []' "deaths"
says ".ok and $status == 0" "exit status $status"
# A closed way is one that was refused by the daemon, and open without it and for a subject that may.
says '[.routes[] | select(.result == "closed") | [.unguarded, .allowed, .refused]] | unique ==
    [["open", "open", "Operation not permitted"]]' "ways are closed that were not tried"
says "$may_be_open as \$may | [.routes[] | select(.result == \"known\") | .route] - \$may == []" "more is open than is named"
says '[.routes[] | select(.result == "known" and (.why == null or .closed_by == null))] == []' "no word of why"
says '[.deaths[] | .mode + .role + .what] | unique | length == 24' "deaths that were not tried"
# While the clerk is stopped, who needs it waits for it, and no longer than half of the timeout.
says '[.deaths[] | select(.role == "clerk" and .what == "stopped") | .longest_ms] | length == 2 and min >= 80' "nobody asked the clerk"

# What is said to close an open way was tried, and does: whatever is open with it would be `open` above.
says '[.routes[] | select(.remedy != null) | .remedy] | unique == ["closed"]' "what closes a way was not tried"
for setting in "coverage = filesystem" "guard = open+read"; do
    says "[.routes[] | select(.setting == \"$setting\" and .result == \"closed\")] | length > 0" "$setting was not tried"
done
for setting in "guard = open+write" "code = intact"; do
    says "[.routes[] | select(.setting == \"$setting\" and .result == \"closed\")] != [] or
        [.features[] | select(.name == \"$setting\") | .found] == [\"missing\"]" "$setting was neither tried nor called missing"
done
if [ -e /var/lib/dpkg/status ]; then
    says '[.features[] | select(.name == "code = intact") | .found] == ["there"]' "code = intact was not tried"
fi

# Here every way can be tried but those that this machine has switched off.
says '[.routes[] | select(.result == "not-tried" and (.why |
    test("core dumps go elsewhere|limit of core dumps|user namespace|no io_uring|PR_SET_MM_MAP|ptrace") | not))] == []' \
    "not tried"
untried=$(jq -r '[.file_systems[] | select(.tried | not) | "\(.name): \(.why)"] | join(", ")' "$T/said.json")
[[ $untried != *tmpfs* ]] || fail "no tmpfs"
for fs in $(jq -r '.file_systems[] | select(.tried) | .name' "$T/said.json"); do
    says "[.routes[] | select(.file_system == \"$fs\" and .result == \"closed\")] | length > 150" "few ways on $fs"
    says "[.routes[] | select(.file_system == \"$fs\") | .who] | unique == [\"root\", \"user\"]" "who, on $fs"
done
jq -c .count "$T/said.json"

# --- it can fail ------------------------------------------------------------------------------------------------------

# family: the daemon's processes below $SELFTEST.
family() {
    local all=$SELFTEST next
    for next in 1 2 3; do
        all="$all $(pgrep --parent "$(tr ' ' ',' <<<"${all% }")" | tr '\n' ' ')"
        all=$(tr ' ' '\n' <<<"$all" | sort -u | tr '\n' ' ' | sed 's/^ *//')
    done
    for next in $all; do
        [[ $(cat "/proc/$next/comm" 2>/dev/null) != fileward-* ]] || echo "$next"
    done
}

has_herald() {
    local pid
    for pid in $(family); do
        [[ $(cat "/proc/$pid/comm" 2>/dev/null) != fileward-herald ]] || return 0
    done
    return 1
}

begin() {
    "$FILEWARD" selftest --json --fs tmpfs >"$T/said.json" 2>"$T/errors" &
    SELFTEST=$!
    until_true 60 has_herald || fail "no daemon: $(cat "$T/errors")"
}

gone() {
    local pid
    for pid in $FAMILY; do
        is_gone "$pid" || return 1
    done
}

# Without its daemon everything is open, and that is what it says.
begin
# shellcheck disable=SC2046 # a list
kill -KILL $(family)
wait "$SELFTEST"
assert_equal $? 1 "exit status without a daemon"
says '.ok == false and .count.open > 0' "nothing is open without a daemon" # from when it was killed on

# --- it leaves nothing behind -----------------------------------------------------------------------------------------

for signal in TERM INT KILL; do
    begin
    FAMILY=$(family)
    # A shell's background job ignores SIGINT from birth; whoever waits for it by sigwait gets it all the same.
    kill -$signal "$SELFTEST"
    wait "$SELFTEST"
    assert_equal $? $((128 + $(kill -l $signal))) "exit status after SIG$signal"
    until_true 10 gone || fail "processes are left after SIG$signal: $FAMILY"
done
rmdir /run/fileward-selftest.* # of the killed one: nothing is in it, and nothing is mounted there
assert_equal "$(grep -l fileward-selftest /sys/block/loop*/loop/backing_file 2>/dev/null)" "" "loop devices"

# --- its words --------------------------------------------------------------------------------------------------------

expect_status 2 "$FILEWARD" selftest --fs ext5
expect_status 2 "$FILEWARD" selftest --uid 0
expect_status 4 as_user 1000 "$FILEWARD" selftest
expect_ok "$FILEWARD" selftest --open /dev/null
expect_status 2 "$FILEWARD" selftest --open /no/such/file # ENOENT
[ -z "$untried" ] || skip "not on all file systems: $untried"
