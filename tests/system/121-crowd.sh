#!/bin/bash
# promise: who has a thousand threads wait for the clerk is refused for it, and nobody else waits
. tests/system/lib.sh
setup
cp "$BUILD/tests/flood" "$T/flood"
cp "$T/flood" "$T/setuid"
cp /bin/cat "$T/cat"
chmod 755 "$T" "$T/flood"
chmod 4755 "$T/setuid"
echo secret >"$T/guarded/file"
sum=$(sha256sum "$T/flood")
of_cat=$(sha256sum "$T/cat")
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
exe_sha256 = ${sum%% *} ${of_cat%% *}
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
wait "$flood" 2>/dev/null
kill -CONT "$clerk"

# Nor does a crowd that a user makes of a setuid program of root's drive out what root asked before.
expect_ok "$T/flood" "$T/guarded/file" 1 1 # the clerk is awake
before=$(timeouts)
kill -STOP "$clerk"
timeout -s KILL 30 "$T/cat" "$T/guarded/file" >"$T/said" 2>&1 &
root=$!
sleep 0.2
timeout -s KILL 60 setpriv --reuid 1000 --regid 1000 --clear-groups -- "$T/setuid" "$T/guarded/file" 1100 0 &
flood=$!
more_released() { [ "$(timeouts)" -gt "$before" ]; }
until_true 4 more_released || fail "nobody of the setuid crowd is released"
is_gone "$root" && fail "root's own is released for it: $(cat "$T/said")"
kill -CONT "$clerk"
wait "$root" || fail "root's own is refused: $(cat "$T/said")"
kill -KILL "$flood"
