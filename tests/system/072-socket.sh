# promise: the local socket answers root and the service's group, by the kernel's word on who asks, and nobody else
. tests/system/lib.sh
setup
echo x >"$T/guarded/file"
guard <<END
[watch w]
path = $T/guarded
default = deny
END
expect_eperm cat "$T/guarded/file"
record_has '.verdict == "deny"'
ask() { # SETPRIV OPTIONS -- PATH: status
    local who=()
    while [ "$1" != -- ]; do
        who+=("$1")
        shift
    done
    timeout -s KILL "$COMMAND_SECONDS" setpriv "${who[@]}" curl -sS --max-time 5 --unix-socket "$SOCKET" \
        -o "$T/answer" -w '%{http_code}' "http://localhost$2" 2>/dev/null
}
: >"$T/answer"
chmod 666 "$T/answer"
assert_equal "$(ask --reuid 0 -- /api/events)" 200 root
jq -e '.events | map(select(.verdict == "deny")) | length == 1' "$T/answer" >/dev/null || fail "$(cat "$T/answer")"
assert_equal "$(ask --reuid 1000 --regid "$FILEWARD_UID" --clear-groups -- /api/events)" 200 "primary group"
assert_equal "$(ask --reuid 1000 --regid 1000 --groups "1,$FILEWARD_UID" -- /status)" 200 "supplementary group"
assert_equal "$(ask --reuid 1000 --regid 1000 --clear-groups -- /status)" 000 "a stranger connects"
# Even if someone opened it to all.
chmod 666 "$SOCKET"
for path in /status /api/events /metrics /healthz; do
    assert_equal "$(ask --reuid 1000 --regid 1000 --clear-groups -- $path)" 403 "a stranger at $path"
done
! grep -q guarded "$T/answer" || fail "a stranger is told: $(cat "$T/answer")"
assert_equal "$(ask --reuid 0 -- '/api/events?limit=0')" 400
assert_equal "$(ask --reuid 0 -- '/api/events?after=x')" 400
stop
[ ! -e "$SOCKET" ] || fail "the socket stays behind"
