# promise: the keeper killed: the judge answers as before; the judge killed too: nothing hangs and nobody stays behind
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths

healthz() {
    curl -s --max-time 5 -w '%{http_code}' "http://$LISTEN/healthz"
}

says_unhealthy() {
    [[ $(healthz) == *keeper*503 ]]
}

for how in KILL SEGV SYS; do
    if [ ! "$DAEMON" ]; then
        : >"$LOG"
        start
    fi
    die_keeper "$how"
    tell_load "keeper $how"
    # To a scraper it is not well, and says what to do.
    until_true 5 says_unhealthy || fail "/healthz does not say that the keeper is gone: $(healthz)"
    die_last
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
