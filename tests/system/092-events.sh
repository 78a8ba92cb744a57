# promise: events: --since, --denied, --json and -f show what they should, across a rotation, and hostile names harmlessly
. tests/system/lib.sh
setup
policy_file=$T/conf/fileward.ini
cat=$(readlink -f "$(command -v cat)")
echo x >"$T/guarded/file"
echo x >"$T/guarded/"$'name \e[2J\e]0;title\a\xff'

# ends STATUS "PATTERN" COMMAND...: with that status, and says so.
ends() {
    local wanted=$1 pattern=$2
    shift 2
    expect_status "$wanted" "$@"
    grep -Eq -- "$pattern" <<<"$OUTPUT" || fail "does not say /$pattern/: $*: $OUTPUT"
}
events() {
    limited "$FILEWARD" events -c "$policy_file" "$@"
}

# --- without a daemon ---
policy <<END
[watch w]
path = $T/guarded
default = deny
log = all
[rule w/cat]
action = allow
exe = $cat
END
ends 1 "cannot read $LOG: No such file.*--log" events
for time in bogus 10 5:00 2026-13-01T00:00Z $'\e[2J'; do
    ends 2 'since: .*is not a time; a time is .*10m' events --since "$time"
    ! grep -q $'\e' <<<"$OUTPUT" || fail "raw: $(cat -v <<<"$OUTPUT")"
done
ends 1 'cannot read /nowhere/log' "$FILEWARD" events --log /nowhere/log
# -f waits for a log to come.
"$FILEWARD" events -c "$policy_file" -f >"$T/followed" 2>&1 &
early=$!

# --- what was recorded ---
start
expect_ok cat "$T/guarded/file"
expect_eperm head "$T/guarded/file"
expect_eperm head "$T/guarded/"$'name \e[2J\e]0;title\a\xff'
record_has '.decision == "deny" and (.object.path | contains("title"))'
record_has '.decision == "allow"'
shows() { # PATTERN in what -f printed
    grep -aEq -- "$1" "$T/followed"
}
until_true 5 shows 'denied  (read|any) .*title' || fail "-f does not show what comes: $(cat -v "$T/followed")"
shows 'fileward .* guards [0-9]+ files' || fail "-f did not see the log begin: $(cat -v "$T/followed")"
kill "$early"
ends 0 '^20[0-9-]* \(UTC\)$' events
grep -Eq '^[0-9:]* allowed  (read|any)  .*/guarded/file  by' <<<"$OUTPUT" || fail "$OUTPUT"
grep -Eq '^[0-9:]* denied  (read|any) .*/guarded/file  by' <<<"$OUTPUT" || fail "$OUTPUT"
for more in "" --denied "--since 1h"; do
    # shellcheck disable=SC2086 # none or two words
    events $more >"$T/said" 2>&1 || fail "events $more"
    ! grep -aqP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$T/said" || fail "events $more: raw bytes: $(cat -v "$T/said")"
    grep -qF 'name \x1b[2J\x1b]0;title\x07' "$T/said" || fail "events $more: $(cat -v "$T/said")"
done
ends 0 denied events --denied
! grep -qE 'allowed|guards' <<<"$OUTPUT" || fail "--denied shows more: $OUTPUT"
assert_equal "$(events --json --since 1h)" "$(cat "$LOG")" "events --json"
assert_equal "$(events --json --denied | jq -c 'select(.decision != "deny")')" "" "--json --denied"
assert_equal "$(events --log "$LOG" --since 1h)" "$(events --since 1h)" "--log"
# A time between two records.
sleep 0.01
now=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
sleep 0.01
expect_eperm tail "$T/guarded/file"
record_has '.subject.exe | endswith("tail")'
assert_equal "$(events --json --since "$now" | jq -rs '[.[] | select(.kind == "access")] | length')" 1 "records since $now"
assert_equal "$(events --since 2200-01-01T00:00Z)" "" "records of the future"
# Who may not, and a log that someone wrote into.
ends 4 "cannot read $LOG: Permission denied; use root" as_user 1000 "$FILEWARD" events --log "$LOG"
{ echo 'no record' && printf '{"kind":"\x1b[2J"}\n' && cat "$LOG"; } >"$T/scribbled"
ends 0 '2 lines are no records' "$FILEWARD" events --log "$T/scribbled" --since 1h
head -n 1 "$T/scribbled" >"$T/one"
ends 0 '1 line is no record and was passed over' "$FILEWARD" events --log "$T/one"

# --- following, through rotations ---
chown "$FILEWARD_UID" "$T/log" # whose new logs the daemon makes
for signal in HUP ""; do
    "$FILEWARD" events -c "$policy_file" -f --denied >"$T/followed" 2>&1 &
    follower=$!
    for i in 1 2 3; do
        cp "$BUILD/tests/opener" "$T/program$signal-$i"
        expect_eperm "$T/program$signal-$i" read "$T/guarded/file"
        until_true 6 shows "program$signal-$i\\[" || fail "-f lost program$signal-$i: $(cat -v "$T/followed")"
        if [ -n "$signal" ]; then
            mv "$LOG" "$LOG.$i"
            kill -$signal "$DAEMON"
            until_true 5 test -e "$LOG" || fail "the daemon makes no new log"
        elif [ $i = 1 ]; then
            mv "$LOG" "$LOG.$i" # where the next record goes: the daemon looks once a second
        else
            sleep 1.1 # and the next into a new one
        fi
    done
    for i in 1 2 3; do
        assert_equal "$(grep -ac "program$signal-$i\\[" "$T/followed")" 1 "how often -f shows program$signal-$i"
    done
    ! grep -aq allowed "$T/followed" || fail "-f --denied shows what is allowed"
    kill $follower
done

# --- after the daemon ---
stop
ends 0 'fileward stopped: .*SIGTERM' events
