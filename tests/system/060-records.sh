# promise: records: start and stop, a complete lineage, a short-lived process by name, repeats counted, nothing lost unsaid
. tests/system/lib.sh
setup
mkdir "$T/guarded/many"
echo x >"$T/guarded/file"
for shell in a b c; do
    cp /bin/bash "$T/shell-$shell"
done
opener=$T/opener
cp "$BUILD/tests/opener" "$opener"
guard <<END
[watch w]
path = $T/guarded
default = deny
END
record_has '.kind == "start" and .role == "keeper" and .seq == 1 and .watches == 1 and .rules == 0 and .marks == 3
    and .mode == "enforce" and (.policy | test("^sha256:[0-9a-f]{64}$")) and (.version | length) > 0
    and (.time | test("^20[0-9-]{8}T[0-9:]{8}[.][0-9]{6}Z$"))'

# Everyone from the program up to the first process, nearest first.
pid_of() { # the pid that the shell of that name wrote
    cat "$T/pid-$1"
}
limited "$T/shell-a" -c "echo \$\$ >'$T/pid-a'; '$T/shell-b' -c \"echo \\\$\\\$ >'$T/pid-b'; '$T/shell-c' -c \\\"echo \\\\\\\$\\\\\\\$ >'$T/pid-c';
    '$opener' read '$T/guarded/file'; :\\\"; :\"; :" >/dev/null 2>&1
record_has '.subject.exe == "'"$opener"'" and .subject.comm == "opener" and .object.path == "'"$T"'/guarded/file"
    and (.subject.ancestors[0:3] == [{"pid":'"$(pid_of c)"',"exe":"'"$T"'/shell-c"},{"pid":'"$(pid_of b)"',"exe":"'"$T"'/shell-b"},
    {"pid":'"$(pid_of a)"',"exe":"'"$T"'/shell-a"}]) and .subject.ancestors[-1].pid == 1
    and ([.subject.ancestors[].pid] | index('$$')) != null
    and .object.ino == '"$(stat -c %i "$T/guarded/file")"' and .subject.exe_ino == '"$(stat -c %i "$opener")"'
    and .latency_us >= 0'

# Who is gone at once after the refusal is named all the same.
for i in {1..30}; do
    cp "$opener" "$T/short-$i"
    limited "$T/short-$i" read "$T/guarded/file" >/dev/null 2>&1
done
for i in {1..30}; do
    record_has '.subject.exe == "'"$T/short-$i"'" and .subject.uid == 0 and (.subject.ancestors | length) > 2
        and .subject.flags == []'
done

# The first at once; repeats within a second are one later record; the counts say how many there were.
cp "$opener" "$T/often"
before=$(decided w w/default read deny deny)
expect_ok "$T/often" many 3000 "$T/guarded/file"
[[ $OUTPUT == *"refused 3000 "* ]] || fail "$OUTPUT"
assert_equal "$(decided w w/default read deny deny)" $((before + 3000)) "counted refusals"
counted() {
    assert_not_more="$(jq -n '[inputs | select(.subject.exe? == "'"$T"'/often") | .count] | add' "$LOG")"
    [ "$assert_not_more" = 3000 ]
}
until_true 5 counted || fail "the records say $assert_not_more instead of 3000"
lines=$(record_count '.subject.exe == "'"$T"'/often"')
{ [ "$lines" -ge 2 ] && [ "$lines" -le 8 ]; } || fail "3000 repeats made $lines records"
assert_equal "$(jq -n '[inputs | select(.subject.exe? == "'"$T"'/often")][0].count' "$LOG")" 1 "count of the first"
first=$(jq -n '[inputs | select(.subject.exe? == "'"$T"'/often")][0].seq' "$LOG")
assert_equal "$(record_count '.subject.exe == "'"$T"'/often" and .count > 1 and .repeat_of != '"$first")" 0 "repeats of another"

# A herald that does not read for a while: what the ring cannot hold is lost, counted, and told; nobody waits for it.
stop
for i in {1..4000}; do
    : >"$T/guarded/many/$i"
done
start
kill -STOP "$(role_pid herald)"
begin=${EPOCHREALTIME/./}
(cd "$T/guarded/many" && timeout -s KILL 60 cat {1..4000} >/dev/null 2>&1)
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
[ $took -lt 20000 ] || fail "4000 refusals took $took ms while nobody reads the records"
kill -CONT "$(role_pid herald)"
record_has '.kind == "gap" and .role == "judge" and .lost > 0 and .last - .first + 1 == .lost'
dropped=$(metric 'fileward_records_dropped_total{role="judge"}')
[ "$dropped" -gt 0 ] || fail "lost records are not counted"
accounted() { # since the last start, every number of the judge is either a record or in a gap
    read -r told lost last <<<"$(jq -n -r '[inputs] | .[([.[].kind] | rindex("start")):] | map(select(.role == "judge")) |
        "\(map(select(.seq)) | length) \(map(select(.kind == "gap") | .lost) | add) \(map(.seq // .last) | max)"' "$LOG")"
    [ $((told + lost)) = "$last" ] && [ "$lost" = "$dropped" ] && [ "$last" -ge 4000 ]
}
until_true 5 accounted || fail "told $told, lost $lost (dropped $dropped), last number $last"
assert_equal "$(decided w w/default read deny deny)" 4000 "counted although lost"

stop
record_has '.kind == "stop" and .role == "keeper" and (.reason | length) > 0'
assert_equal "$(tail -n 1 "$LOG" | jq -r .kind)" stop "the last record"
