# promise: /healthz is 200 while verdicts are given and 503 while they are not: judge stalled, keeper stopped, starting
. tests/system/lib.sh
setup
echo x >"$T/guarded/file"
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
END
healthy() {
    [ "$(http_status /healthz 2>/dev/null)" = 200 ]
}
sick() {
    [ "$(http_status /healthz 2>/dev/null)" = 503 ]
}
assert healthy
assert_equal "$(http /healthz)" ok
# Both the judge and the one that would follow are stopped, and somebody waits.
kill -STOP $(pgrep --parent "$DAEMON" --exact fileward-judge)
timeout -s KILL 10 cat "$T/guarded/file" >/dev/null 2>&1 &
until_true 8 sick || fail "healthy although nobody is given a verdict"
until_true 10 healthy || fail "not healthy when a new judge answers"
expect_eperm cat "$T/guarded/file"
wait %2 2>/dev/null

# Nobody watches over the judge.
kill -STOP "$DAEMON"
until_true 8 sick || fail "healthy although the keeper does not look"
http /healthz | grep -q keeper || fail "it is not said what is wrong"
expect_eperm cat "$T/guarded/file"
kill -CONT "$DAEMON"
until_true 5 healthy || fail "not healthy again"
