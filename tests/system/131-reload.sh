# promise: reload takes what is good, refuses what is bad and says why; places, marks and counters outlive it
. tests/system/lib.sh
. tests/system/deaths.sh
setup
need jq

watch() { # DEFAULT [MORE LINES]
    cat <<END
[watch w]
path = $T/guarded
exclude = $T/guarded/public
default = $1

[rule w/dash]
action = allow
exe = $DASH
$2
END
}
DASH=$T/reader
cp /usr/bin/cat "$DASH"
echo secret >"$T/guarded/file"
echo public >"$T/guarded/public"
reload() {
    limited "$FILEWARD" reload -c "$T/conf/fileward.ini"
}
groups() {
    grep -lsi '^fanotify' "/proc/$DAEMON/fdinfo/"* | wc -l
}

policy < <(watch deny "")
start
expect_eperm cat "$T/guarded/file"
expect_ok "$DASH" "$T/guarded/file"
expect_ok cat "$T/guarded/public"
marks=$(metric 'fileward_marks{watch="w"}')
judge=$(seat_pid judge)
EXPECTED_GROUPS=$(groups)

# Another decision, by the command: it prints what came of it.
policy < <(watch allow "")
expect_ok reload
[[ $OUTPUT == reloaded ]] || fail "it says: $OUTPUT"
expect_ok cat "$T/guarded/file"
[ "$(seat_pid judge)" != "$judge" ] || fail "the judge is still the one of the old policy"
record_has '.kind == "reload" and .successful and .reason == null and .watches == 1'
assert_equal "$(metric 'fileward_marks{watch="w"}')" "$marks" "marks after a reload"
metric_becomes fileward_policy_last_reload_successful 1
assert_equal "$(decided w w/dash any allow allow)" 1 "what was counted before"
until_true 5 household_is_complete || fail "after a reload: $SIGHT"

# By the signal.
policy < <(watch deny "")
reloads=$(record_count '.kind == "reload"')
kill -HUP "$DAEMON"
reloaded_again() { [ "$(record_count '.kind == "reload"')" -gt "$reloads" ]; }
until_true 10 reloaded_again || fail "SIGHUP: no reload record"
expect_eperm cat "$T/guarded/file"

# A bad one: all errors with their lines, and nothing changes.
good=$(status_json | jq -r .policy)
policy < <(watch deny "defalt = allow
unit =")
expect_status 3 reload
[[ $OUTPUT == *"fileward.ini:"*"unknown key"*"fileward.ini:"*"value is missing"* ]] || fail "it says: $OUTPUT"
[[ $OUTPUT == *"the policy in force stays"* ]] || fail "it says: $OUTPUT"
expect_eperm cat "$T/guarded/file"
expect_ok "$DASH" "$T/guarded/file"
assert_equal "$(status_json | jq -r .policy)" "$good" "the policy in force"
assert_equal "$(status_json | jq -r .last_load.successful)" false
metric_becomes fileward_policy_last_reload_successful 0
record_has '.kind == "reload" and (.successful | not) and (.reason | test("unknown key"))'
expect_ok "$FILEWARD" status -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"was refused at"* ]] || fail "status says nothing of it: $OUTPUT"

# What needs another keeper is named.
policy "listen = 127.0.0.1:1" < <(watch deny "")
expect_status 3 reload
[[ $OUTPUT == *listen*"another keeper"* ]] || fail "it says: $OUTPUT"

# A name can add a guard, never take one away, over a reload too: the key has been renamed over an excluded name.
policy < <(watch deny "")
expect_ok reload
rm "$T/guarded/public"
mv "$T/guarded/file" "$T/guarded/public"
expect_eperm cat "$T/guarded/public"
expect_ok reload
expect_eperm cat "$T/guarded/public"
# What was moved away before stays guarded.
mv "$T/guarded/public" "$T/elsewhere"
expect_ok reload
expect_eperm cat "$T/elsewhere"

# A place that becomes excluded is let through, and guarded again when it is taken in again.
echo x >"$T/guarded/more"
policy < <(watch deny "")
expect_ok reload
expect_eperm cat "$T/guarded/more"
policy < <(watch deny "" | sed "s|^exclude = .*|& $T/guarded/more|")
expect_ok reload
expect_ok cat "$T/guarded/more"
policy < <(watch deny "")
expect_ok reload
expect_eperm cat "$T/guarded/more"

# A watch comes and goes, one is renamed; groups come and go with them, and each file's present rules hold.
mkdir "$T/second"
echo two >"$T/second/file"
{
    watch deny "" | sed 's/\<w\>/renamed/'
    printf '[watch second]\npath = %s\ndefault = deny\n' "$T/second"
} | policy
expect_ok reload
expect_eperm cat "$T/second/file"
expect_eperm cat "$T/guarded/more"
expect_ok "$DASH" "$T/guarded/more"
has_groups() { [ "$(groups)" = "$1" ]; }
until_true 5 has_groups $((EXPECTED_GROUPS + 1)) || fail "$(groups) groups instead of $((EXPECTED_GROUPS + 1))"
policy < <(watch deny "")
expect_ok reload
expect_ok cat "$T/second/file"
expect_eperm cat "$T/guarded/more"
until_true 5 has_groups "$EXPECTED_GROUPS" || fail "$(groups) groups instead of $EXPECTED_GROUPS"

# From audit to enforce and back.
policy "mode = audit" < <(watch deny "")
expect_ok reload
expect_ok cat "$T/guarded/more"
policy < <(watch deny "")
expect_ok reload
expect_eperm cat "$T/guarded/more"

# A watch in audit is renamed and enforces from now on. Until its own marks are there the earlier policy holds: nobody is
# refused through a group in audit, and the record says what the kernel was told. The old scout keeps the new one waiting.
policy "mode = audit" < <(watch deny "")
expect_ok reload
policy < <(watch deny "" | sed 's/\<w\>/renamed/')
kill -STOP "$(seat_pid scout)"
reload_in_background() { reload >"$T/reload.out" 2>&1 & RELOAD=$!; }
judge=$(seat_pid judge)
reload_in_background
another_judge_reads() { local now; now=$(seat_pid judge) && [ "$now" ] && [ "$now" != "$judge" ]; }
until_true 10 another_judge_reads || fail "no new judge reads"
expect_ok cat "$T/guarded/more"
wait "$RELOAD" || fail "the reload failed: $(cat "$T/reload.out")"
expect_eperm cat "$T/guarded/more"
record_has '.kind == "access" and .watch == "renamed" and .decision == "deny" and .verdict == "allow" and .mode == "audit"'
policy < <(watch deny "")
expect_ok reload

# The policy's reader dies at work: the reload is refused with the reason, the old policy stays. The judge is stopped so
# that the reader waits for a verdict about a policy file that is guarded.
{
    settings "timeout = 10s"
    watch deny ""
    printf '[watch conf]\npath = %s\ndefault = allow\n' "$T/conf"
} >"$T/conf/next.ini"
mv "$T/conf/next.ini" "$T/conf/fileward.ini"
chmod 600 "$T/conf/fileward.ini"
expect_ok reload
good=$(status_json | jq -r .policy)
judge=$(seat_pid judge)
kill -STOP "$judge"
reads=
kill -HUP "$DAEMON"
is_reading() { reads=$(pgrep --parent "$DAEMON" --exact fileward-reader); }
until_true 4 is_reading || fail "nobody reads the policy"
kill -KILL "$reads"
until_true 4 is_gone "$reads" || fail "the reader is still there"
kill -CONT "$judge"
record_has '.kind == "reload" and (.successful | not) and (.reason | test("reader was ended by signal 9"))'
assert_equal "$(status_json | jq -r .policy)" "$good" "the policy in force"
expect_eperm cat "$T/guarded/more"
policy < <(watch deny "")
expect_ok reload

# Nothing is left: no process, no descriptor, no zombie. Many at once are as good as one.
forget_deaths
expect_as_before "before"
for _ in 1 2 3 4 5 6 7 8; do
    kill -HUP "$DAEMON"
done
expect_ok reload
expect_as_before "after reloads in a row"
stop
assert_equal "$STATUS" 0
account

policy < <(watch deny "")
start
# A socket named without its directory is one in this directory.
cd "$T/run" || exit 1
expect_ok "$FILEWARD" reload --socket fileward.sock
cd - >/dev/null || exit 1
stop

# Nobody to talk to.
expect_status 3 "$FILEWARD" reload -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"not running"* ]] || fail "it says: $OUTPUT"
expect_status 3 "$FILEWARD" stop -c "$T/conf/fileward.ini"
expect_status 4 as_user 1000 "$FILEWARD" reload --socket "$SOCKET"
