# promise: a lease that a user takes on a guarded file of his own delays nobody else
. tests/system/lib.sh
setup
mkdir "$T/guarded/user"
echo x >"$T/guarded/other"
opener=$BUILD/tests/opener
chown 1000 "$T/guarded/user"
as_user 1000 sh -c "echo x >'$T/guarded/user/file'"
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/all]
action = allow
uid = 0 1000
END
mkfifo "$T/hold"
as_user 1000 "$opener" lease "$T/guarded/user/file" <"$T/hold" >"$T/said" 2>&1 &
holder=$!
exec 9>"$T/hold"
until_true 5 grep -q leased "$T/said" || fail "no lease: $(cat "$T/said")"
# Who opens that very file may have to wait or fail: it is leased. Everybody else is not touched.
timeout -s KILL 8 cat "$T/guarded/user/file" >/dev/null 2>&1 &
victim=$!
begin=${EPOCHREALTIME/./}
for _ in {1..50}; do
    expect_ok "$opener" read "$T/guarded/other"
    expect_eperm as_user 1001 "$opener" read "$T/guarded/other"
done
took=$(((${EPOCHREALTIME/./} - begin) / 1000))
[ $took -lt $((3000 * SLOWNESS)) ] || fail "50 opens beside a lease took $took ms"
assert_equal "$(metric fileward_rescues_total)" 0 "rescues"
assert_equal "$(metric 'fileward_timeouts_total{watch="w"}')" 0 "timeouts"
exec 9>&-
wait "$holder" "$victim" 2>/dev/null
expect_ok cat "$T/guarded/user/file"
