#!/bin/bash
# promise: who has a thousand threads wait for the clerk is refused for it, and nobody else waits
. tests/system/lib.sh
setup
cp "$BUILD/tests/flood" "$T/flood"
chmod 755 "$T" "$T/flood"
echo secret >"$T/guarded/file"
sum=$(sha256sum "$T/flood")
guard "timeout = 10s" <<END
[watch g]
path    = $T/guarded
default = deny
log     = deny
[rule g/other]
action  = allow
uid     = 1001
[rule g/flood]
action  = allow
exe_sha256 = ${sum%% *}
END
timeouts() { metric 'fileward_timeouts_total{watch="g"}'; }
released() { [ "$(timeouts)" -gt 0 ]; }

# A clerk that does not answer.
clerk=$(role_pid clerk)
kill -STOP "$clerk"
timeout -s KILL 60 setpriv --reuid 1000 --regid 1000 --clear-groups -- "$T/flood" "$T/guarded/file" 1100 0 &
flood=$!
until_true 4 released || fail "nobody is released before he is late"
began=${EPOCHREALTIME/./}
expect_ok as_user 1001 cat "$T/guarded/file"
took=$((${EPOCHREALTIME/./} - began))
echo "beside the crowd: $took us; released: $(timeouts)"
assert test "$took" -lt $((2000000 * SLOWNESS))
kill -KILL "$flood"
kill -CONT "$clerk"
