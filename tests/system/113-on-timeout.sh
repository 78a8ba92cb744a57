# promise: who waits when the judge is stopped gets on_timeout: EBUSY, or let through; each is counted; audit: let through
. tests/system/lib.sh
. tests/system/deaths.sh
setup

timeouts() {
    metric 'fileward_timeouts_total{watch="w"}'
}

# stop_judges: until a stopped judge held questions of both openers. What it had not read yet the next one decides.
stop_judges() {
    local i
    begin_load
    for i in {1..25}; do
        die judge STOP
        [ "$i" -lt 3 ] || [ "$(timeouts)" -lt 4 ] || break
    done
    end_load
    TIMEOUTS=$(timeouts)
    [ "$TIMEOUTS" -gt 0 ] || fail "no stopped judge held a question in $i times"
    record_has '.kind == "timeout" and .watch == "w"'
}

prepare_deaths "on_timeout = deny"
stop_judges
check_load "on_timeout = deny"
tell_load "on_timeout = deny"
if [ "$(curl -s "http://$LISTEN/status" | jq .features.deny_errno)" = true ]; then
    assert_equal $(($(load good ebusy) + $(load bad ebusy))) "$TIMEOUTS" "opens that met EBUSY"
    assert_equal "$(load good eperm)" 0 "allowed opens that met EPERM"
else
    assert_equal "$(load good ebusy) $(load bad ebusy)" "0 0" "opens that met EBUSY"
fi
record_has '.kind == "timeout" and .decision == "deny" and .verdict == "deny" and .reason == "timeout"'
stop

: >"$LOG"
forget_deaths
prepare_deaths "on_timeout = allow"
stop_judges
assert_equal "$(load good eperm) $(load good ebusy)" "0 0" "allowed opens refused"
assert_equal "$(load bad ebusy)" 0 "EBUSY with on_timeout = allow"
[ "$(load bad ok)" -le "$TIMEOUTS" ] || fail "more forbidden opens passed than timed out: $(load bad ok) of $TIMEOUTS"
[ "$(load bad worst_us)" -le "$BOUND_US" ] || fail "waited too long: $(cat "$T/load/bad".*)"
record_has '.kind == "timeout" and .decision == "allow" and .verdict == "allow"'
tell_load "on_timeout = allow"
stop

: >"$LOG"
forget_deaths
MODE=audit
prepare_deaths "on_timeout = deny"
stop_judges
check_load "audit"
tell_load "audit"
record_has '.kind == "timeout" and .mode == "audit" and .decision == "deny" and .verdict == "allow"'
stop
