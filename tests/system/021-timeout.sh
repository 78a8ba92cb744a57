# promise: keys timeout, on_timeout: with a judge that does not move every opener is released in time, as each watch says
. tests/system/lib.sh
setup
timeout_ms=400
mkdir "$T/guarded/deny" "$T/guarded/allow" "$T/guarded/audit"
for dir in deny allow audit; do
    echo x >"$T/guarded/$dir/file"
done
cp "$BUILD/tests/opener" "$T/allowed"
cp "$BUILD/tests/opener" "$T/stranger"

guard "timeout = ${timeout_ms}ms" "on_timeout = deny" <<END
[watch deny]
path = $T/guarded/deny
default = deny
[watch allow]
path = $T/guarded/allow
default = deny
on_timeout = allow
[watch audit]
path = $T/guarded/audit
default = deny
mode = audit
[rule deny/allowed]
action = allow
exe = $T/allowed
END
refusal=refused
grep -q '"deny_errno":true' <<<"$(status_json | jq -c .)" && refusal=released

two_judges() {
    [ "$(pgrep --count --parent "$DAEMON" --exact fileward-judge)" = 2 ]
}
number() { # WORD
    sed -n "s/.*\b$1 \([0-9]*\).*/\1/p" "$T/said"
}
rescued() {
    [ "$(metric fileward_rescues_total)" -gt "$rescues" ]
}
# stalled PROGRAM WATCH: that program opens the watch's file all the time while a judge is stopped, until a judge was
# stopped that held a question of it. What came of its opens is in $T/said.
stalled() {
    local openers opener i before
    before=$(metric "fileward_timeouts_total{watch=\"$2\"}")
    openers=()
    for i in 1 2 3; do
        "$1" many 0 "$T/guarded/$2/file" >"$T/said.$i" &
        openers+=($!)
    done
    for i in {1..20}; do
        until_true 5 two_judges || fail "there is no spare judge"
        rescues=$(metric fileward_rescues_total)
        kill -STOP "$(role_pid judge)"
        until_true 5 rescued || fail "a stopped judge was not replaced"
        [ "$(metric "fileward_timeouts_total{watch=\"$2\"}")" = "$before" ] || break
    done
    kill -TERM "${openers[@]}"
    for opener in "${openers[@]}"; do
        wait "$opener" || fail "an opener ended with $?"
    done
    cat "$T"/said.? | awk '{ for (i = 1; i < NF; i += 2) if ($i == "longest") max = $(i+1) > max ? $(i+1) : max; else n[$i] += $(i+1) }
        END { for (word in n) printf "%s %d ", word, n[word]; print "longest", max }' >"$T/said"
    [ "$(metric "fileward_timeouts_total{watch=\"$2\"}")" != "$before" ] || fail "no question timed out in 20 rescues"
    [ "$(number longest)" -le $((timeout_ms + 100)) ] || fail "longer than timeout and 100 ms: $(cat "$T/said")"
    assert_equal "$(number failed)" 0 "opens that failed otherwise"
}

# Allowed, but nobody decided: released as on_timeout says, so that it can be told from a refusal. The next judge decides.
stalled "$T/allowed" deny
[ "$(number $refusal)" -ge 1 ] || fail "nobody was released: $(cat "$T/said")"
[ "$(number opened)" -gt "$(number $refusal)" ] || fail "the next judge does not decide: $(cat "$T/said")"
record_has '.kind == "timeout" and .watch == "deny" and .verdict == "deny" and .decision == "deny" and .reason == "timeout"'
record_has '.kind == "rescue" and .count >= 1 and .reason != null'
[ "$(metric 'fileward_restarts_total{role="judge"}')" -ge 1 ] || fail "the new judge is not counted"

# Not allowed, but on_timeout = allow: those that were released got in, everybody else did not.
stalled "$T/stranger" allow
assert_equal "$(number opened)" "$(metric 'fileward_timeouts_total{watch="allow"}')" "opened"
assert_equal "$(number released)" 0 "released with EBUSY"
record_has '.kind == "timeout" and .watch == "allow" and .verdict == "allow" and .decision == "allow"'

# In audit on_timeout is not asked.
stalled "$T/stranger" audit
assert_equal "$(number refused) $(number released)" "0 0" "refused in audit"
record_has '.kind == "timeout" and .watch == "audit" and .verdict == "allow" and .mode == "audit"'
