# promise: gate and ledger truncated, removed or replaced by root: keeper and judge guard on, and no second keeper serves beside them
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths

keeper=$DAEMON
judge=$(seat_pid judge)

# expect_refused WORDS PID: a second one does not start, names who is there, and changes nothing.
expect_refused() {
    expect_status 1 "$FILEWARD" run -c "$T/conf/fileward.ini"
    [[ $OUTPUT == *"(process $2)"*"$1"*"kill $2"* ]] || fail "it says: $OUTPUT"
    are_alive "$keeper" "$judge" || fail "keeper and judge should go on"
    expect_eperm cat "$T/guarded/forbidden"
    expect_ok "$T/good" -n 1 "$T/guarded/allowed"
}

# Emptied: nobody dies of it, and it is written again.
ledger_is_whole() { [ "$(stat -c %s "$T/run/ledger")" = "$1" ]; }
size=$(stat -c %s "$T/run/ledger")
: >"$T/run/ledger"
until_true 5 ledger_is_whole "$size" || fail "the ledger is not written again"
verdicts_are_given "after the ledger was truncated"
are_alive "$keeper" "$judge" || fail "keeper or judge died of a truncated ledger"

# Another FIFO in the gate's place; then all of the directory is gone.
rm "$T/run/gate"
expect_refused "gate that was removed or replaced" "$keeper"
rm -r "$T/run"
mkdir "$T/run"
expect_refused "gate that was removed or replaced" "$keeper"

# The judge alone, whose keeper is dead by now.
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON" || fail "the keeper is still there"
wait "$DAEMON" 2>/dev/null
keeper=$judge DAEMON=
expect_refused "keeper is gone" "$judge"
kill "$judge"
until_true 5 is_gone "$judge" || fail "the judge does not leave"
start
verdicts_are_given "afterwards"

# A ledger that is missing is called so, by whom the judge of a dead keeper is not left to itself.
keeper=$(seat_pid judge) judge=$(seat_pid judge)
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON" || fail "the keeper is still there"
wait "$DAEMON" 2>/dev/null
DAEMON=
: >"$T/run/ledger"
expect_status 1 "$FILEWARD" run -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"(process $judge)"*"removed or emptied"*"fileward stop"* ]] || fail "it says: $OUTPUT"
: >"$T/run/ledger"
until_true 5 test -s "$T/run/ledger" || fail "the judge does not tell that it guards"
are_alive "$judge" || fail "the judge died of a truncated ledger"
expect_eperm cat "$T/guarded/forbidden"
expect_ok "$FILEWARD" stop -c "$T/conf/fileward.ini"
