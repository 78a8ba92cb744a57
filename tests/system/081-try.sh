# promise: `make run` leaves nothing behind, however it ends: no process, not its own directory, nor the daemon's copy of its policy
. tests/system/lib.sh
. tests/system/deaths.sh
setup
need setpriv setsid
echo x >"$T/guarded/file"
mkdir "$T/policies"
cat >"$T/policies/test.ini" <<END
[watch w]
path = $T/guarded
default = deny
END
is_said() {
    grep -qs "Ctrl-C ends it" "$T/said"
}
# tried COMMAND: runs it, does that when it guards, and ends it. (By TERM: what a script starts in the background is deaf to
# Ctrl-C; try.sh treats both alike.)
tried() {
    FILEWARD=$FILEWARD FILEWARD_TRY=$T/try FILEWARD_POLICIES=$T/policies FILEWARD_LISTEN=$LISTEN \
        packaging/try.sh >"$T/said" 2>&1 </dev/null &
    local try=$!
    until_true 30 is_said || fail "it is not ready: $(cat "$T/said")"
    mapfile -t family < <(cat "$T/try/pid" && pgrep --parent "$(cat "$T/try/pid")")
    [ ${#family[@]} -ge 5 ] || fail "processes: ${family[*]}"
    "$@"
    kill -TERM "$try" 2>/dev/null
    until_true 30 is_gone "$try" || fail "it does not end"
    until_true 5 are_gone "${family[@]}" || fail "left behind: $(ps -o pid,stat,comm -p "$(join , "${family[@]}")")"
    [ ! -e "$T/try" ] || fail "left behind: $(find "$T/try")"
}
keeps_a_copy() {
    expect_ok cat "$T/guarded/file"
    find /var/lib/fileward/last-good -name fileward.ini | grep -q . || fail "there is no copy that could be left"
}
# Without a keeper, or with one that hears nothing, the judge guards on.
keeper_gets() {
    keeps_a_copy
    kill "-$1" "${family[0]}"
}

# Beside the copies of others.
mkdir -p /var/lib/fileward/last-good/%etc%fileward%fileward.ini
before=$(find /var/lib/fileward)
tried keeps_a_copy
assert_equal "$(find /var/lib/fileward)" "$before" "what is in /var/lib/fileward"
tried keeper_gets KILL
tried keeper_gets STOP
assert_equal "$(find /var/lib/fileward)" "$before" "what is in /var/lib/fileward without a keeper"

# Where there never was a daemon.
mount -t tmpfs -o mode=0755 fileward-test /var/lib || fail "cannot mount a tmpfs at /var/lib"
tried keeps_a_copy
assert_equal "$(find /var/lib -mindepth 1)" "" "what is in /var/lib"
