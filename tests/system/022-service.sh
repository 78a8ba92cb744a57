# promise: keys listen, socket, log_file, user: where it listens and writes, and as whom its roles run
. tests/system/lib.sh
setup
echo x >"$T/guarded/file"
watch="[watch w]
path = $T/guarded
default = deny"

# ids ROLE: real, effective, saved and file-system uid and gid of a role.
ids() {
    sed -n 's/^[UG]id:\t//p' "/proc/$(role_pid "$1")/status" | tr '\t\n' '  '
}
over_socket() {
    curl -sS --max-time 5 --unix-socket "$SOCKET" "http://localhost$1"
}

# A number, which no account has: its group is the same number.
guard "user = 60842" <<<"$watch"
for role in judge scout herald; do
    assert_equal "$(ids $role)" "60842 60842 60842 60842 60842 60842 60842 60842 " "$role"
done
assert_equal "$(ids keeper)" "0 0 0 0 0 0 0 0 " keeper
assert_equal "$(stat -c '%u %a' "$LOG")" "60842 640" "the log"
assert_equal "$(stat -c '%u %g %a' "$SOCKET")" "0 60842 660" "the socket"
assert_equal "$(http_status /healthz)" 200

# A name, with the group that its account says. The file of accounts is a private one.
cp /etc/passwd "$T/passwd"
echo 'fileward-test:x:60843:60844::/nonexistent:/usr/sbin/nologin' >>"$T/passwd"
mount --bind "$T/passwd" /etc/passwd
policy "user = fileward-test" "log_file = $T/elsewhere/records" "socket = $T/elsewhere/socket" <<<"$watch"
stop
start
for role in judge scout herald; do
    assert_equal "$(ids $role)" "60843 60843 60843 60843 60844 60844 60844 60844 " "$role"
done
SOCKET=$T/elsewhere/socket LOG=$T/elsewhere/records
expect_eperm cat "$T/guarded/file"
record_has '.watch == "w" and .verdict == "deny"'
assert_equal "$(over_socket /healthz)" ok

# off: no port, and everything else.
guard "listen = off" <<<"$watch"
expect_status 7 http /healthz
assert_equal "$(over_socket /healthz)" ok
expect_eperm cat "$T/guarded/file"
record_has '.watch == "w" and .verdict == "deny"'

# Another address of this machine's own, of either family.
addresses=(127.0.0.2)
[ ! -e /proc/net/if_inet6 ] || ! grep -q ' lo$' /proc/net/if_inet6 || addresses+=("[::1]")
for address in "${addresses[@]}"; do
    LISTEN=$address:${LISTEN##*:}
    guard "listen = $LISTEN" <<<"$watch"
    assert_equal "$(http_status /healthz -H "Host: localhost")" 200 "$address"
done
