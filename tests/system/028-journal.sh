# promise: key journal: each record goes to journald as well, in its own protocol; without a journald it says so
. tests/system/lib.sh
setup
own_run
echo x >"$T/guarded/file"
watch="[watch w]
path = $T/guarded
default = deny"

policy "journal = yes" <<<"$watch"
launch
wait_for_end 10
assert_equal "$STATUS" 1 "exit status without a journald"
grep -q "journald does not answer.*set it to no" "$T/stderr" || fail "it is not said what to do: $(cat "$T/stderr")"

# Something that takes datagrams where journald would.
mkdir -p /run/systemd/journal
"$BUILD/tests/datagrams" /run/systemd/journal/socket >"$T/journal" &
until_true 5 test -S /run/systemd/journal/socket || fail "no socket for datagrams"
chmod 666 /run/systemd/journal/socket
start
expect_eperm cat "$T/guarded/file"
name=$T/guarded/$'evil\nFILEWARD_VERDICT=allow\nPRIORITY=0'
expect_eperm "$BUILD/tests/opener" create "$name"
record_has '.object.path | contains("PRIORITY=0")'
has() {
    grep -aqF "$1" "$T/journal"
}
for text in SYSLOG_IDENTIFIER=fileward FILEWARD_WATCH MESSAGE "$T/guarded/file" FILEWARD_EXE PRIORITY=4; do
    until_true 5 has "$text" || fail "no datagram with $text: $(cat -v "$T/journal")"
done
# What stands in a name is no field: values have their length in front, none follows a name and "=".
{ [ "$(grep -acx FILEWARD_PATH "$T/journal")" -ge 2 ] && [ "$(grep -acx FILEWARD_VERDICT "$T/journal")" -ge 2 ]; } ||
    fail "path and verdict are not told: $(cat -v "$T/journal")"
! grep -aq '^FILEWARD_[A-Z]*=[^a]' "$T/journal" || fail "a value without its length"

# A journald that is gone or full delays nobody.
kill %1 2>/dev/null
wait %1 2>/dev/null
for i in {1..20}; do
    expect_eperm "$BUILD/tests/opener" create "$T/guarded/new$i"
done
record_has '.object.path | endswith("new20")'
