# promise: keeper and judge die together while the scout is stopped: it goes too, and nobody hangs; reload tells its own outcome
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths

# A scout that cannot look at anything, as in the middle of a walk or inside an open of its own, holds the groups all the same.
scout=$(seat_pid scout)
kill -STOP "$scout"
kill -KILL "$DAEMON" "$(seat_pid judge)"
wait "$DAEMON" 2>/dev/null
DAEMON=
until_true 2 is_gone "$scout" || fail "the scout is still there, and with it the groups that nobody answers"
limited "$T/bad" -n 1 "$T/guarded/forbidden" >/dev/null || fail "an open hangs when keeper and judge are gone"

# The outcome of the reload that was asked for, not of one that was under way.
start
cp "$T/conf/fileward.ini" "$T/good.ini"
for delay in 0 0.005 0.01 0.02 0.04 0.08; do
    cp "$T/good.ini" "$T/conf/fileward.ini"
    kill -HUP "$DAEMON"
    sleep "$delay"
    echo 'no-such-key = 1' >>"$T/conf/fileward.ini"
    expect_status 3 "$FILEWARD" reload --socket "$SOCKET"
    [[ $OUTPUT == *"no-such-key"* || $OUTPUT == *"fileward.ini:"* ]] || fail "after $delay s it says: $OUTPUT"
done
cp "$T/good.ini" "$T/conf/fileward.ini"
expect_ok "$FILEWARD" reload --socket "$SOCKET"
stop
assert_equal "$STATUS" 0
