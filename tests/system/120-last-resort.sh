#!/bin/bash
# promise: both judges gone at once, no process to be had, nobody reading what the keeper says: still every open is answered in time
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths

# opens PROGRAM FILE: twenty opens; what came of them, as JSON.
opens() {
    timeout -s KILL 20 "$T/$1" -n 20 "$T/guarded/$2"
}

in_time() {
    [ "$(jq .worst_us <<<"$1")" -le "$BOUND_US" ] || fail "an open took too long: $1"
}

# Nobody gets in, and allowed ones do again once a judge reads.
all_is_well() {
    local forbidden
    until_true 5 allowed_again || fail "allowed opens are still refused"
    forbidden=$(opens bad forbidden)
    in_time "$forbidden"
    assert_equal "$(jq .ok <<<"$forbidden")" 0 "forbidden opens that succeeded"
}

allowed_again() {
    [ "$(opens good allowed | jq .ok)" = 20 ]
}

kill_judges() {
    local judge spare
    judge=$(seat_pid judge)
    spare=$(seat_pid spare)
    kill -KILL "$judge" "$spare"
}

answers_healthy() {
    [ "$(http_status /healthz)" = 200 ]
}

# Both at once: one signal tells the keeper of two deaths.
kill_judges
refused=$(opens bad forbidden)
in_time "$refused"
assert_equal "$(jq .ok <<<"$refused")" 0 "forbidden opens that succeeded"
all_is_well

# Nobody reads standard error: the keeper rescues all the same.
mkfifo "$T/full"
stop
exec 9<>"$T/full"
STDERR=$T/full launch
until_true 10 answers_healthy || fail "it does not start with a pipe as standard error"
timeout 1 dd if=/dev/zero of="$T/full" bs=4096 count=64 oflag=nonblock 2>"$T/dd"
kill_judges
refused=$(opens bad forbidden)
in_time "$refused"
assert_equal "$(jq .ok <<<"$refused")" 0 "forbidden opens that succeeded"
all_is_well
stop
exec 9>&-

# No process can be forked: the keeper itself answers with the fallback, until one can.
pids=/sys/fs/cgroup/pids/fileward-test-$$
if ! mkdir "$pids" 2>"$T/mkdir"; then
    echo "not tried: no pids control group here: $(cat "$T/mkdir")"
    exit 0
fi
start
echo "$DAEMON" >"$pids/cgroup.procs"
echo 1 >"$pids/pids.max"
kill_judges
for _ in 1 2 3; do
    met=$(timeout -s KILL 20 "$T/good" -n 1 "$T/guarded/allowed")
    in_time "$met"
done
assert_equal "$(jq .ebusy <<<"$met")" 1 "the keeper's fallback: $met"
echo max >"$pids/pids.max"
all_is_well
stop
rmdir "$pids"
