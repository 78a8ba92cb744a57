# promise: the keeper killed: the judge answers as before; the judge killed too: nothing hangs and nobody stays behind
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths

for how in KILL SEGV SYS; do
    if [ ! "$DAEMON" ]; then
        : >"$LOG"
        start
    fi
    die_keeper "$how"
    record_has '.kind == "start"'
    record_has '.kind == "stop" and .role == "herald" and .reason == "keeper and judge are gone"'
    account
done

# The one after it starts as if nothing had been.
: >"$LOG"
start
verdicts_are_given "after the deaths of others"
stop
assert_equal "$STATUS" 0 "exit status"
