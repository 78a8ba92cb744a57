# promise: a new keeper takes over from a dead one's judge, and an upgrade is the same: no forbidden open, no refusal, no place forgotten
# timeout: 240
. tests/system/lib.sh
. tests/system/deaths.sh
setup
need strace
# Longer than a crowded machine keeps anybody from its processors: what is refused here is refused by the change of hands.
BOUND_US=1100000
prepare_deaths "timeout = 1s"
stop
: >"$LOG"
echo public >"$T/guarded/public"
echo moved >"$T/guarded/moved"
sed -i "s|^default = deny|exclude = $T/guarded/public\n&|" "$T/conf/fileward.ini"
start

GAP=$(status_json | jq -c .last_gap)
# take_over: starts a keeper beside the judge of a dead one.
take_over() {
    start
    assert grep -q '^fileward: ready:' "$T/stderr"
}
# expect_taken_over WHEN: by another family altogether, and nobody of the old one is left.
expect_taken_over() {
    until_true 10 are_gone "${OLD[@]}" || fail "$1: left behind: $(ps -o pid,stat,comm -p "$(join , "${OLD[@]}")")"
    until_true 10 household_is_complete || fail "$1: $SIGHT"
    verdicts_are_given "$1"
}
remember_family() {
    OLD=("$DAEMON" "$(seat_pid judge)" "$(seat_pid spare)" "$(seat_pid scout)" "$(seat_pid herald)")
}

# A key that was renamed over an excluded name is still a key for the next keeper.
mv "$T/guarded/forbidden" "$T/guarded/public"
mv "$T/guarded/moved" "$T/moved-away"

for how in KILL SEGV SYS; do
    remember_family
    kill "-$how" "$DAEMON"
    until_true 5 is_gone "$DAEMON" || fail "keeper $how: still there"
    wait "$DAEMON" 2>/dev/null
    expect_eperm cat "$T/guarded/public"
    take_over
    expect_eperm cat "$T/guarded/public"
    expect_eperm cat "$T/moved-away"
    mv "$T/guarded/public" "$T/guarded/forbidden"
    expect_taken_over "takeover after $how"
    mv "$T/guarded/forbidden" "$T/guarded/public"
done
mv "$T/guarded/public" "$T/guarded/forbidden"
record_has '.kind == "start" and .reason == "took over from a keeper that was gone"'
assert_equal "$(status_json | jq -c .last_gap)" "$GAP" "the last gap: taking over makes none"

# A second one beside a healthy one is refused, and says what to do.
expect_status 1 "$FILEWARD" run -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"runs already (process $DAEMON)"*reload*stop* ]] || fail "it says: $OUTPUT"

# An upgrade: the keeper leaves when asked, and the next one takes over; under load.
begin_load
for ((i = 0; i < ${UPGRADES:-3}; i++)); do
    remember_family
    kill -USR2 "$DAEMON"
    wait_for_end 5
    assert_equal "$STATUS" 0 "exit status of a keeper that leaves"
    take_over
    until_true 10 household_is_complete || fail "upgrade: $SIGHT"
done
end_load
check_load upgrades
assert_equal "$(load good ebusy)" 0 "allowed opens refused during upgrades"
tell_load "figures: $i upgrades:"
expect_taken_over "after the upgrades"

# The same at any moment of a reload, which is completed first.
base=$(cat "$T/conf/fileward.ini")
begin_load
for ((i = 0; i < ${LEAVES:-5}; i++)); do
    if [ $((i % 2)) = 0 ]; then
        sed 's/\[watch w\]/[watch renamed]/; s/\[rule w/[rule renamed/' <<<"$base" >"$T/conf/fileward.ini"
    else
        echo "$base" >"$T/conf/fileward.ini"
    fi
    kill -HUP "$DAEMON"
    sleep "0.0$((RANDOM % 3))$((RANDOM % 10))"
    kill -USR2 "$DAEMON"
    wait_for_end 5
    assert_equal "$STATUS" 0 "exit status of a keeper that leaves"
    take_over
done
end_load
check_load "leaving during a reload"
assert_equal "$(load good ebusy)" 0 "allowed opens refused by who left during a reload"
tell_load "figures: $i times left during a reload:"
echo "$base" >"$T/conf/fileward.ini"
expect_ok "$FILEWARD" reload --socket "$SOCKET"
expect_taken_over "after leaving during reloads"

# The judge that is to be taken over from does not move: it is released of what it holds, and ended.
remember_family
begin_load
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON"
wait "$DAEMON" 2>/dev/null
kill -STOP "$(seat_pid judge)"
take_over
expect_taken_over "takeover from a stopped judge"
end_load
assert_equal "$(load bad ok)" 0 "forbidden opens that succeeded"

# Its herald is dead too: what it had not written, the next one writes; the port is free again.
remember_family
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON"
wait "$DAEMON" 2>/dev/null
kill -KILL "${OLD[4]}"
until_true 5 is_gone "${OLD[4]}"
mkdir "$T/unseen"
cp /usr/bin/cat "$T/unseen/program-nobody-told-of"
expect_eperm "$T/unseen/program-nobody-told-of" "$T/guarded/forbidden"
take_over
record_has '.kind == "access" and (.subject.exe | endswith("program-nobody-told-of"))'
expect_taken_over "takeover without a herald"

# Another policy at the same moment: another name of the watch, another default.
remember_family
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON"
wait "$DAEMON" 2>/dev/null
sed -i 's/\[watch w\]/[watch renamed]/; s/\[rule w/[rule renamed/' "$T/conf/fileward.ini"
begin_load
take_over
end_load
assert_equal "$(load bad ok)" 0 "forbidden opens that succeeded while a watch was renamed"
assert_equal "$(load good eperm)" 0 "allowed opens refused while a watch was renamed"
expect_taken_over "takeover with another policy"
groups() { grep -lsi '^fanotify' "/proc/$DAEMON/fdinfo/"* | wc -l; }
has_one_group() { [ "$(groups)" = 1 ]; }
until_true 5 has_one_group || fail "$(groups) groups instead of one"

# One that cannot take over changes nothing: what serves goes on, and is found where it was. (Healthy it is not for long,
# without a keeper.)
status_answers() {
    limited "$FILEWARD" status --socket "$SOCKET" >"$T/said" 2>&1
    grep -q '^fileward .* on Linux ' "$T/said"
}
remember_family
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON"
wait "$DAEMON" 2>/dev/null
sed "s|^socket = .*|socket = $T/other/fileward.sock|" "$T/conf/fileward.ini" >"$T/conf/other.ini"
sed -i "s|^log_file = .*|log_file = $T/other.jsonl|; s|path = .*|path = $T/unseen|; s|^exclude.*||" "$T/conf/other.ini"
sed -i "s|^listen = .*|listen = 127.0.0.1:$(free_port)|" "$T/conf/other.ini"
chmod 600 "$T/conf/other.ini"
"$FILEWARD" run -c "$T/conf/other.ini" 2>"$T/other.err" </dev/null &
other=$!
until_true 20 grep -q '^fileward: ready:' "$T/other.err" || fail "another one does not start: $(cat "$T/other.err")"
cp "$T/conf/fileward.ini" "$T/conf/kept.ini"
sed -i "s|^listen = .*|$(grep ^listen "$T/conf/other.ini")|" "$T/conf/fileward.ini"
expect_status 1 "$FILEWARD" run -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"another program listens"* ]] || fail "it says: $OUTPUT"
cp "$T/conf/kept.ini" "$T/conf/fileward.ini"
kill "$other"
until_true 5 is_gone "$other" || fail "another one does not end"
assert status_answers
expect_eperm cat "$T/guarded/forbidden"
cat >"$T/failing" <<END
#!/bin/sh
exec strace -D -f -qq -o "$T/strace" -P /proc/self/fd -e trace=openat -e inject=openat:error=EMFILE "$FILEWARD" "\$@"
END
chmod +x "$T/failing"
FILEWARD=$T/failing launch
wait_for_end 20
assert_equal "$STATUS" 1 "exit status of a keeper whose judges cannot begin"
assert status_answers
expect_eperm cat "$T/guarded/forbidden"
expect_ok "$T/good" -n 1 "$T/guarded/allowed"

# The judge that is to be taken over from dies before the next one is ready: who opens meanwhile has the fallback, in time.
sed 's/error=EMFILE/delay_enter=3000000/' "$T/failing" >"$T/slow"
chmod +x "$T/slow"
begin_load
FILEWARD=$T/slow launch
judges_are_raised() { [ "$(pgrep --count --parent "$DAEMON" fileward-judge)" = 2 ]; }
until_true 10 judges_are_raised || fail "no judges are raised"
kill -KILL "${OLD[1]}"
until_true 30 ready_or_gone || fail "it is not ready after 30 s"
end_load
check_load "the judge died before the next one was ready"
tell_load "orphan dies:"
record_has '.kind == "rescue" and (.reason | test("before the next one was ready"))'
expect_taken_over "takeover from a judge that died meanwhile"
stop
start

# A policy that is bad by now: the last good one, loudly.
remember_family
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON"
wait "$DAEMON" 2>/dev/null
sed -i 's/^default/defalt/' "$T/conf/fileward.ini"
take_over
grep -q 'WARNING: .*last good' "$T/stderr" || fail "it is not said that the last good policy was taken"
grep -q 'did you mean' "$T/stderr" || fail "it is not said what is wrong"
expect_taken_over "takeover with a bad policy"
expect_ok "$FILEWARD" status --socket "$SOCKET"
[[ $OUTPUT == *"last good"* ]] || fail "status says nothing of it: $OUTPUT"
assert_equal "$(status_json | jq -r .last_load.in_force)" last-good
metric_becomes fileward_policy_last_reload_successful 0
sed -i 's/^defalt/default/' "$T/conf/fileward.ini"
expect_ok "$FILEWARD" reload --socket "$SOCKET"
assert_equal "$(status_json | jq -r .last_load.in_force)" on-disk

# `fileward stop` ends also a judge whose keeper is gone, and with it the gate; the next start says how long nobody guarded.
remember_family
kill -KILL "$DAEMON"
until_true 5 is_gone "$DAEMON"
wait "$DAEMON" 2>/dev/null
DAEMON=
expect_ok "$FILEWARD" stop --socket "$SOCKET"
until_true 5 are_gone "${OLD[@]}" || fail "stop: left behind: $(ps -o pid,stat,comm -p "$(join , "${OLD[@]}")")"
expect_ok "$T/bad" -n 1 "$T/guarded/forbidden"
start
status_json | jq -e '.last_gap.milliseconds < 60000 and .last_gap.after == "death"' >/dev/null || fail "gap: $(status_json | jq -c .last_gap)"
expect_ok "$FILEWARD" status -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"nobody guarded from"* ]] || fail "status says nothing of the gap: $OUTPUT"
expect_ok "$FILEWARD" stop -c "$T/conf/fileward.ini"
wait_for_end 1
assert_equal "$STATUS" 0
RESCUES=$(record_count '.kind == "rescue"')
account
