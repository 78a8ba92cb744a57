# promise: enforce: each system call of the judge fails in turn, under load: no forbidden open succeeds, nobody waits too long
# timeout: 175
. tests/system/lib.sh
. tests/system/deaths.sh
. tests/system/faults.sh
setup
prepare_faults

begin_faults
fail_in_turn one
end_faults
# What cannot be found out fails a rule that allows: the allowed may be refused, nobody else may be let in.
tell_load "faults, enforcing"
assert_equal "$(load bad ok) $(load bad other) $(load good other)" "0 0 0" "forbidden opens that succeeded, and opens that failed in other ways"
[ "$(load good ok)" -gt 0 ] || fail "no allowed open succeeded"
for who in good bad; do
    [ "$(load $who worst_us)" -le "$BOUND_US" ] || fail "waited too long: $(cat "$T/load/$who".*)"
done
assert_equal "$(metric 'fileward_kernel_refused_total{watch="w"}')" 0 "refused by the kernel"
