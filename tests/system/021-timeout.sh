# promise: keys timeout, on_timeout: with a judge that does not move every opener is released in time, as each watch says
. tests/system/lib.sh
setup
mkdir "$T/guarded/deny" "$T/guarded/allow" "$T/guarded/audit"
for dir in deny allow audit; do
    echo x >"$T/guarded/$dir/file"
done
cat=$(readlink -f "$(command -v cat)")
timeout_ms=600

{
    settings "timeout = ${timeout_ms}ms" "on_timeout = deny"
    cat <<END
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
[rule deny/cat]
action = allow
exe = $cat
[rule allow/cat]
action = allow
exe = $cat
END
} | guard
expect_ok cat "$T/guarded/deny/file"
expect_eperm head "$T/guarded/deny/file"
expect_eperm head "$T/guarded/allow/file"

# stalled EXPECTATION FILE: the same open with a stopped judge, and how long it took.
stalled() {
    local begin took
    until_true 5 test "$(role_pid judge | wc -l)" -ge 1
    until_true 5 two_judges || fail "there is no spare judge"
    kill -STOP "$(role_pid judge)"
    begin=${EPOCHREALTIME/./}
    "$1" head "$T/guarded/$2/file"
    took=$(((${EPOCHREALTIME/./} - begin) / 1000))
    # 100 ms as promised, and 200 for the processes of the test.
    [ $took -le $((timeout_ms + 300)) ] || fail "$2: an open took $took ms with a stopped judge, timeout $timeout_ms"
}
two_judges() {
    [ "$(pgrep --count --parent "$DAEMON" --exact fileward-judge)" = 2 ]
}

stalled expect_busy deny
record_has '.kind == "timeout" and .watch == "deny" and .verdict == "deny" and .decision == "deny" and .reason == "timeout"'
record_has '.kind == "rescue" and .count == 1 and .reason != null'
metric_becomes 'fileward_timeouts_total{watch="deny"}' 1
metric_becomes fileward_rescues_total 1
metric_becomes 'fileward_restarts_total{role="judge"}' 1
# The next judge decides again.
expect_ok cat "$T/guarded/deny/file"
expect_eperm head "$T/guarded/deny/file"

stalled expect_ok allow
record_has '.kind == "timeout" and .watch == "allow" and .verdict == "allow" and .decision == "allow"'
metric_becomes 'fileward_timeouts_total{watch="allow"}' 1
expect_eperm head "$T/guarded/allow/file"

stalled expect_ok audit
record_has '.kind == "timeout" and .watch == "audit" and .verdict == "allow" and .mode == "audit"'
metric_becomes fileward_rescues_total 3

# on_timeout = allow for all, unless a watch says otherwise.
sed -i 's/^on_timeout = deny/on_timeout = allow/; /^\[watch allow\]/,/^\[/s/^on_timeout = allow/on_timeout = deny/' \
    "$T/conf/fileward.ini"
stop
start
stalled expect_ok deny
stalled expect_busy allow
