# promise: the test runner counts right, ends what hangs, and leaves no process and no mount behind
. tests/system/lib.sh
setup

stay=$((100000 + $$)) # seconds; nobody else sleeps that long
mkdir -p "$T/tree/tests/system"
cp tests/run "$T/tree/tests/"
cp tests/system/lib.sh "$T/tree/tests/system/"
cd "$T/tree" || exit 1

# trial NAME <<END: a test in the copy. Each begins with a daemon that wants to stay.
trial() {
    {
        echo "# promise: $1"
        echo "# timeout: 3"
        echo ". tests/system/lib.sh"
        echo "setup"
        echo "setsid -f setsid -f sh -c 'trap \"\" TERM HUP INT; sleep $stay' >/dev/null 2>&1"
        cat
    } >"tests/system/$1.sh"
}
trial 1-passes <<'END'
until_true 2 test -d "$T"
expect_ok as_user 1234 id -u
assert_equal "$OUTPUT" 1234
touch "$T/file"
expect_eperm as_user 1234 chown 0 "$T/file"
expect_status 3 sh -c 'exit 3'
END
trial 2-skips <<'END'
skip "because"
END
trial 3-fails <<'END'
expect_eperm true
END
trial 4-fails <<'END'
COMMAND_SECONDS=1
expect_ok sleep 100
END
trial 5-fails <<'END'
assert false
END
trial 6-hangs <<'END'
sleep 100
END

mounts_before=$(wc -l </proc/self/mounts)
result() {
    env -u FILEWARD_TEST_DIR BUILD="$BUILD" FUZZ_SECONDS=0 timeout -s KILL 60 tests/run "$@" >"$T/said" 2>&1 </dev/null
    echo "$? $(tail -n 1 "$T/said")"
}
nothing_left() {
    ! pgrep -f "sleep $stay" >/dev/null
}
# The logs of the copy must not take the place of ours.
mkdir "$T/build"
cp -r "$BUILD/tests" "$T/build/"
BUILD=$T/build

assert_equal "$(result)" "1 1 passed, 4 failed, 1 skipped" "all"
grep -q '2-skips .*(because)$' "$T/said" || fail "the reason of a skip is not told: $(cat "$T/said")"
grep -q '6-hangs .*longer than 3 s' "$T/said" || fail "a hang is not told: $(cat "$T/said")"
assert nothing_left
assert_equal "$(result 1-p)" "0 1 passed, 0 failed, 0 skipped" "one"
assert_equal "$(result 2-s)" "1 0 passed, 0 failed, 1 skipped" "nothing passed"

# Interrupted, it cleans up too.
sed -i 's/^# timeout: .*/# timeout: 60/' tests/system/6-hangs.sh
env -u FILEWARD_TEST_DIR BUILD="$BUILD" tests/run 6-h >"$T/said" 2>&1 </dev/null &
runner=$!
until_true 5 pgrep -f "sleep $stay" >/dev/null || fail "the test does not begin"
kill -TERM "$runner"
until_true 5 is_gone "$runner" || fail "the runner does not end"
assert nothing_left
assert_equal "$(tail -n 1 "$T/said")" "0 passed, 1 failed, 0 skipped" "interrupted"

assert_equal "$(wc -l </proc/self/mounts)" "$mounts_before" "number of mounts"
