# promise: audit: each system call of the judge fails in turn, under load: nothing is refused, and nobody waits too long
# timeout: 175
. tests/system/lib.sh
MODE=audit
. tests/system/deaths.sh
. tests/system/faults.sh
setup
prepare_faults

begin_faults
fail_in_turn
end_faults
check_load "faults in audit mode"
tell_load "faults in audit mode"
assert_equal "$(metric 'fileward_kernel_refused_total{watch="w"}')" 0 "refused by the kernel"
assert_equal "$(record_count '.verdict == "deny"')" 0 "records of a refusal"
