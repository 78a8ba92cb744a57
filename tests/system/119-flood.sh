#!/bin/bash
# promise: two hundred threads of one user that open as fast as they can make nobody else wait beyond the bound
# timeout: 120
. tests/system/lib.sh
setup
not_sanitized "they are too slow for a crowd"
cp "$BUILD/tests/flood" "$T/flood"
cp "$BUILD/tests/hammer" "$T/hammer"
echo secret >"$T/guarded/file"
guard <<END
[watch g]
path    = $T/guarded
default = deny
[rule g/hammer]
action  = allow
exe     = $T/hammer
END

# flooded THREADS: the worst wait of one well-behaved opener beside them, in microseconds.
flooded() {
    timeout -s KILL 20 setpriv --reuid 1000 --regid 1000 --clear-groups -- "$T/flood" "$T/guarded/file" "$1" 4 \
        >"$T/flooded" &
    local flood=$!
    until_true 10 they_ask || fail "the flood did not start"
    "$T/hammer" -s 2 "$T/guarded/file" >"$T/said" || fail "the opener failed: $(cat "$T/said")"
    wait "$flood"
    echo "figures: $1 threads: $(cat "$T/flooded"); beside them: $(cat "$T/said")"
    worst=$(jq .worst_us "$T/said")
}

they_ask() {
    [ "$(jq -c 'select(.subject.exe | endswith("/flood"))' "$LOG" 2>/dev/null | wc -l)" -gt 0 ]
}

flooded 200
[ "$worst" -le 300000 ] || fail "200 threads: the opener waited $worst us"
# The kernel wakes every waiter of a group for each answer, so that thousands at once are slow for whoever answers: the
# figure is shown, and SECURITY.md says so.
flooded 1000
assert_equal "$(jq -c 'select(.kind == "access" and .verdict == "allow" and (.subject.exe | endswith("/flood")))' "$LOG" | wc -l)" 0
