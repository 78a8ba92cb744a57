# promise: four processes that fork and open as fast as they can delay nobody
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths

# A household under the worst load; one opener who behaves.
storm=()
for who in good good bad bad; do
    what=allowed
    [ $who = good ] || what=forbidden
    "$T/$who" -f "$T/guarded/$what" >"$T/load/storm.$who.${#storm[@]}" &
    storm+=($!)
done
expect_ok "$T/good" -s 5 "$T/guarded/allowed"
well_behaved=$OUTPUT
kill -TERM "${storm[@]}"
until_true 5 are_gone "${storm[@]}" || fail "an opener hangs"
wait "${storm[@]}"
opens=$(cat "$T"/load/storm.* | jq -s 'map(.ok + .eperm) | add')
echo "storm: $opens opens, each by a new process; beside it: $well_behaved"
assert_equal "$(jq '.eperm + .ebusy + .other' <<<"$well_behaved")" 0 "refusals to the opener who behaves"
[ "$(jq .worst_us <<<"$well_behaved")" -le "$BOUND_US" ] || fail "the opener who behaves waited: $well_behaved"
assert_equal "$(cat "$T"/load/storm.bad* | jq -s 'map(.ok) | add')" 0 "forbidden opens that succeeded"
assert_equal "$(cat "$T"/load/storm.* | jq -s 'map(.ebusy + .other) | add')" 0 "opens that failed in other ways"
assert_equal "$(cat "$T"/load/storm.good* | jq -s 'map(.eperm) | add')" 0 "allowed opens refused"
[ "$(cat "$T"/load/storm.* | jq -s 'map(.worst_us) | max')" -le "$BOUND_US" ] || fail "$(cat "$T"/load/storm.*)"
metric_becomes fileward_rescues_total 0 # nobody took work for a hang

stop
account
