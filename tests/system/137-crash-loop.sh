# promise: judges that crash as soon as they serve are not forked for ever: the keeper answers, in time, and goes back to a judge
# timeout: 120
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths
begin_load
end=$((${EPOCHREALTIME/./} + 4000000))
while [ "${EPOCHREALTIME/./}" -lt "$end" ]; do
    pkill -SEGV --parent "$DAEMON" --exact fileward-judge
done
end_load
assert_equal "$(load bad ok)" 0 "forbidden opens that succeeded while judges crashed"
assert_equal "$(load good eperm)" 0 "allowed opens refused as if by the policy"
[ "$(load good worst_us)" -le "$BOUND_US" ] || fail "waited too long: $(cat "$T/load/good".*)"
[ "$(load bad worst_us)" -le "$BOUND_US" ] || fail "waited too long: $(cat "$T/load/bad".*)"
tell_load "judges crash for 4 s:"
# Without a pause it is some 250: a judge each 16 ms, as fast as one can be killed.
[ "$(metric fileward_rescues_total)" -lt 150 ] || fail "$(metric fileward_rescues_total) judges in 4 s"
record_has '.kind == "timeout" and .count > 0'
until_true 40 household_is_complete || fail "the household is not complete again"
verdicts_given() { "$T/good" -n 1 "$T/guarded/allowed" | jq -e '.ok == 1' >/dev/null; }
until_true 40 verdicts_given || fail "allowed opens are still released without a decision"
verdicts_are_given "when nothing kills judges any more"
stop
assert_equal "$STATUS" 0
