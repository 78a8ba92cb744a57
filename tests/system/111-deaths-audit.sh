# promise: in audit mode nothing is refused, whichever role is killed, crashes or is stopped under load
. tests/system/lib.sh
MODE=audit
. tests/system/deaths.sh
setup
prepare_deaths

begin_load
for how in KILL STOP SEGV SYS; do
    die judge "$how"
done
for role in spare scout herald keeper; do
    die "$role" STOP
done
for role in spare scout herald; do
    die "$role" KILL
done
end_load
check_load "audit"
tell_load "audit"
metric_becomes fileward_rescues_total 4
stop
assert_equal "$STATUS" 0 "exit status"
account
assert_equal "$(record_count '.verdict == "deny"')" 0 "records of a refusal"

: >"$LOG"
forget_deaths
start
die_keeper KILL
die_last
assert_equal "$(load bad eperm) $(load bad ebusy) $(load good eperm) $(load good ebusy)" "0 0 0 0" "refusals"
