# promise: a full log and a stopped herald touch no verdict; what is lost is counted, and the log says where
. tests/system/lib.sh
. tests/system/deaths.sh
setup
many=6000
make_files "$many"
mount -t tmpfs -o size=64k,mode=0755 fileward-test "$T/log" || fail "cannot mount a small tmpfs"

dropped() {
    metric "fileward_records_dropped_total{role=\"$1\"}"
}

drops_something() {
    [ "$(dropped "$1" 2>/dev/null || echo 0)" -gt 0 ]
}

# records: the lines that are JSON. The one in the middle of which the disk was full is not.
records() {
    jq -cR 'fromjson?' "$LOG"
}

a_gap_says() {
    records | jq -ne "[inputs | select(.kind == \"gap\" and ($1))] | length > 0" >/dev/null
}

told_lost() {
    records | jq -n "[inputs | select(.kind == \"gap\" and ($1)) | .lost] | add // 0"
}

# As prepare_deaths does, with a record about each open.
prepare_deaths
sed -i 's/^default = deny$/&\nlog = all/' "$T/conf/fileward.ini"
stop
: >"$LOG"
start

# --- the log is full --------------------------------------------------------------------------------------------------
expect_ok "$T/good" -n 1000 "${FILES[@]}"
[ "$(jq .worst_us <<<"$OUTPUT")" -le "$BOUND_US" ] || fail "with a full log an open waited: $OUTPUT"
assert_equal "$(jq .ok <<<"$OUTPUT")" 1000 "allowed opens with a full log"
until_true 10 drops_something herald || fail "no record was counted as lost"
assert_equal "$(stat -f -c %f "$T/log")" 0 "free blocks of the log's file system"
verdicts_are_given "with a full log"

mount -o remount,size=64m "$T/log" || fail "cannot make the tmpfs larger"
until_true 10 a_gap_says '.role == "herald" and (.reason | test("No space left"))' ||
    fail "no gap record after there is room again: $(tail -n 3 "$LOG")"
assert_equal "$(told_lost '.role == "herald"')" "$(dropped herald)" "lost, by the log and by the metric"
[ "$(jq -cR 'select(. != "" and (try (fromjson | false) catch true))' "$LOG" | wc -l)" -le 1 ] ||
    fail "more than one line of the log is torn"
stop
# Each number that is missing was told as lost.
missing=$(records | jq -n 'reduce inputs as $r ({}; if $r.seq then .[$r.role] += [$r.seq] else . end)
    | map(([range(1; (max) + 1)] - .) | length) | add')
[ "$missing" -le "$(told_lost '.role == "herald"')" ] ||
    fail "$missing records are missing, and $(told_lost '.role == "herald"') told as lost"

# --- the herald is stopped --------------------------------------------------------------------------------------------
: >"$LOG"
start
herald=$(seat_pid herald)
kill -STOP "$herald"
expect_ok "$T/good" -n "$many" "${FILES[@]}"
[ "$(jq .worst_us <<<"$OUTPUT")" -le "$BOUND_US" ] || fail "with a stopped herald an open waited: $OUTPUT"
assert_equal "$(jq .ok <<<"$OUTPUT")" "$many" "allowed opens with a stopped herald"
verdicts_are_given "with a stopped herald"
kill -CONT "$herald"
until_true 10 drops_something judge || fail "no record was counted as dropped"
until_true 10 a_gap_says '.role == "judge" and .first <= .last and .lost == .last - .first + 1' ||
    fail "no gap record after the herald went on"
lost=$(dropped judge)
stop
assert_equal "$(told_lost '.role == "judge"')" "$lost" "lost, by the log and by the metric"
account
# Each file is in the log but those that were lost.
files=$(record_count '.kind == "access" and .rule == "w/good" and .count == 1')
[ $((files + lost)) -ge "$many" ] || fail "$files files are in the log and $lost records lost, of $many"

# --- the herald is killed with records on their way -------------------------------------------------------------------
: >"$LOG"
start
kill -STOP "$(seat_pid herald)"
expect_ok "$T/good" -n 1000 "${FILES[@]}"
expect_as_before "a stopped herald"
kill -KILL "$(seat_pid herald)"
until_true 10 household_is_complete || fail "the herald did not come back"
record_has '.object.path == "'"$T/guarded/many/999"'" and .decision == "allow"'
metric_becomes 'fileward_records_dropped_total{role="judge"}' 0
stop
account
assert_equal "$(record_count '.kind == "gap"')" 0 "gaps: the ring outlives its reader"
