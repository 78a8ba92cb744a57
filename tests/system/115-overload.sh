# promise: four processes that fork and open as fast as they can delay nobody; memory and descriptors stay flat
. tests/system/lib.sh
. tests/system/deaths.sh
setup
make_files 1500
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
rm "$T"/load/storm.*

# A working day: 20,000 decisions for two long-lived subjects, 2,000 short-lived ones, a record about each of many files.
day() {
    expect_ok "$T/good" -n 10000 "$T/guarded/allowed"
    expect_ok "$T/bad" -n 10000 "$T/guarded/forbidden"
    expect_ok "$T/bad" -n 1500 "${FILES[@]}"
    expect_ok "$T/good" -f -n 1000 "$T/guarded/allowed"
    expect_ok "$T/bad" -f -n 1000 "$T/guarded/forbidden"
    metric_becomes fileward_pending 0
}

# role_use: for each role its own memory in KiB (what is shared has a fixed size) and its descriptors.
role_use() {
    local role pid
    for role in keeper judge spare scout herald; do
        pid=$(seat_pid $role)
        echo "$role $(awk '$1 == "RssAnon:" { print $2 }' "/proc/$pid/status") $(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
    done
}

# Two descriptors for each of 1,024 subjects that a judge remembers, and what it holds beside them.
bounded() {
    local role kib fds
    while read -r role kib fds; do
        case $role in
        judge) [ "$fds" -le 2100 ] && [ "$kib" -le 8192 ] ;;
        herald) [ "$fds" -le 40 ] && [ "$kib" -le 20480 ] ;;
        *) [ "$fds" -le 40 ] && [ "$kib" -le 4096 ] ;;
        esac || fail "$role holds $kib KiB and $fds descriptors"
    done <<<"$1"
}

# grown BEFORE AFTER KIB: the roles that took more than so much, or a descriptor more (the judge: its table is full by then).
grown() {
    paste -d' ' <(echo "$1") <(echo "$2") | awk -v kib="$3" '$5 > $2 + kib || $6 > $3 + 2 { print }'
}

day
before=$(role_use)
day
after=$(role_use)
printf 'role, KiB, descriptors:\n%s\nafter another day:\n%s\n' "$before" "$after"
bounded "$after"
assert_equal "$(grown "$before" "$after" 1024)" "" "roles that grew (role, KiB and descriptors before, and after)"
stop
account
