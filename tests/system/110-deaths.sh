# promise: judge, spare, scout, herald and clerk killed, crashed, stopped under load: no forbidden open, no open beyond the bound
. tests/system/lib.sh
. tests/system/deaths.sh
setup
CLERK=1
prepare_deaths

# The openers of the load measure each wait; `die` says how each role is to come back.
begin_load
for role in judge spare scout herald clerk; do
    for how in KILL STOP SEGV SYS; do # SYS is how a violation of the system call filter ends a process
        die "$role" "$how"
    done
done
die keeper STOP
end_load
check_load "all deaths"
tell_load "all deaths"

# What died, and why, is told.
for signal in SIGKILL:9 SIGSEGV:11 SIGSYS:31; do
    record_has '.kind == "rescue" and (.reason | test("the judge was ended by signal '"${signal#*:}"' "))'
done
record_has '.kind == "rescue" and (.reason | test("the judge did not move for [0-9]+ ms"))'
metric_becomes fileward_rescues_total 4
metric_becomes 'fileward_restarts_total{role="judge"}' 7
metric_becomes 'fileward_restarts_total{role="scout"}' 3
metric_becomes 'fileward_restarts_total{role="herald"}' 3
metric_becomes 'fileward_restarts_total{role="clerk"}' 3
metric_becomes 'fileward_restarts_total{role="keeper"}' 0
# An opener released without a decision is counted, and recorded for its watch.
timeouts=$(metric 'fileward_timeouts_total{watch="w"}')

stop
assert_equal "$STATUS" 0 "exit status"
told=$(jq -n '[inputs | select(.kind == "timeout") | .count] | add // 0' "$LOG")
rescued=$(jq -n '[inputs | select(.kind == "rescue") | .count] | add // 0' "$LOG")
# What a judge has counted and not yet told dies with it.
if [ "$told" -gt "$timeouts" ] || [ "$told" -lt "$rescued" ]; then
    fail "released: $timeouts by the metric, $told by the records, $rescued rescued"
fi
account
assert_equal "$(record_count '.kind == "start"') $(record_count '.kind == "stop"')" "1 1" "start and stop records"
