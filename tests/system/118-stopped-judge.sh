# promise: wherever a judge is stopped, with one opener who waits and nobody else, the opener is released in time
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths
STOPS=${STOPS:-30}

# Signals arrive when a system call returns, so many stop the judge between having read a question and having told anyone
# that it holds it. With a second opener the keeper would see that one's question wait.
"$T/bad" "$T/guarded/forbidden" >"$T/load/bad.1" &
OPENERS=($!)
for ((i = 0; i < STOPS; i++)); do
    judge=$(seat_pid judge)
    kill -STOP "$judge"
    until_true 2 is_gone "$judge" || fail "stop $((i + 1)): the judge is stopped, the opener waits, and nobody comes"
    expect_as_before "stop $((i + 1))"
done
end_load
assert_equal "$(load bad ok) $(load bad other)" "0 0" "opens that succeeded, and that failed in other ways"
[ "$(load bad worst_us)" -le "$BOUND_US" ] || fail "waited too long: $(cat "$T/load/bad.1")"
cat "$T/load/bad.1"
metric_becomes fileward_rescues_total "$STOPS"
