# promise: herald, scout and spare that hang for long are noticed and replaced, and no verdict is late for it; a machine that paused is forgiven
# timeout: 120
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths
expect_as_before "before"

# A machine that is stopped for a while and goes on: the keeper finds that nobody has said anything, and that it could not have.
look
everyone=("$(seen spare)" "$(seen scout)" "$(seen herald)" "$(seen judge)")
kill -STOP "${everyone[@]}" "$DAEMON"
sleep 6 # longer than any of them may be silent
slept() { awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$DAEMON/status"; }
has_looked() { [ "$(slept)" -ge $((SLEPT + 4)) ]; }
SLEPT=$(slept)
kill -CONT "$DAEMON"
until_true 5 has_looked || fail "the keeper does not look"
kill -CONT "${everyone[@]}"
verdicts_are_given "after a pause"
expect_as_before "after a pause"
assert_equal "$(http /metrics | grep -cE '^fileward_(restarts|rescues)_total.* [^0]')" 0 "replaced after a pause"

OLD=("$(seat_pid spare)" "$(seat_pid scout)" "$(seat_pid herald)")
kill -STOP "${OLD[@]}"
# The herald and the spare after 5 s, the scout, which a slow disk may hold up, after 30.
until_true 20 are_gone "${OLD[0]}" "${OLD[2]}" || fail "stopped for long, and still there: $(ps -o pid,stat,comm -p "$(join , "${OLD[@]}")")"
verdicts_are_given "while the scout is stopped"
until_true 60 are_gone "${OLD[1]}" || fail "the scout is stopped for long, and still there"
expect_as_before "after they were replaced"
verdicts_are_given "after they were replaced"
for role in herald scout; do
    metric_becomes "fileward_restarts_total{role=\"$role\"}" 1
done
metric_becomes 'fileward_restarts_total{role="judge"}' 1
metric_becomes fileward_rescues_total 0
grep -q 'the herald did not say anything for [0-9]* s; it is replaced' "$T/stderr" || fail "it is not said"
stop
assert_equal "$STATUS" 0
account
