# promise: who holds a guarded file open when it comes to be guarded is recorded, by descriptor and by mapping, at the start and for a new watch; nobody else is
. tests/system/lib.sh
setup
holder=$BUILD/tests/holder
mkdir "$T/guarded/one" "$T/guarded/two" "$T/outside"
for file in guarded/one/{read,write,rdwr,path,mapping,apart,leaderless,excluded,linked,gone} guarded/two/late outside/other; do
    echo content >"$T/$file"
done
ln "$T/guarded/one/linked" "$T/outside/link"
chmod 755 "$T"

mkfifo "$T/hold"
exec 9<>"$T/hold"
# hold UID HOW PATH: in the background, until the test ends.
hold() {
    HOLDERS=$((${HOLDERS:-0} + 1))
    local said=$T/said.$HOLDERS
    setpriv --reuid "$1" --regid "$1" --clear-groups "$holder" "${@:2}" <"$T/hold" >"$said" 2>&1 9>&- &
    HOLDER=$!
    until_true 5 grep -qs holding "$said" || fail "$* does not hold: $(cat "$said")"
}
chmod 666 "$T/guarded/one/"*
for how in read write rdwr path mapping apart leaderless; do
    hold 1000 $how "$T/guarded/one/$how"
    declare "pid_$how=$HOLDER"
done
hold 0 read "$T/outside/link"
linked=$HOLDER
hold 0 read "$T/guarded/one/excluded"
hold 0 read "$T/outside/other"
hold 0 mapping "$T/outside/other"
hold 0 read "$T/guarded/two/late"
late=$HOLDER
# A directory, by a shell.
exec 8<"$T/guarded/one"

one() {
    cat <<END
[watch one]
path = $T/guarded/one
exclude = $T/guarded/one/excluded
default = deny
END
}
policy < <(one)
start

looked() {
    [ "$(status_json | jq -r .already_open.look)" = complete ]
}
until_true 10 looked || fail "the look is not complete: $(status_json | jq -c .already_open)"
# held PID NAME BY
held() {
    record_has '.kind == "open" and .role == "keeper" and .watch == "one" and .subject.pid == '"$1"' and
        .object.path == "'"$T/guarded/one$2"'" and .by == '"$3"' and .subject.uid == '"${4:-1000}"
}
held "$pid_read" /read '["read"]'
held "$pid_write" /write '["write"]'
held "$pid_rdwr" /rdwr '["read","write"]'
held "$pid_path" /path '["path"]'
held "$pid_mapping" /mapping '["mapping"]'
held "$pid_apart" /apart '["read"]'
held "$pid_leaderless" /leaderless '["read"]'
record_has '.kind == "open" and .subject.pid == '"$pid_leaderless"' and .subject.exe == "'"$holder"'" and .subject.flags == []'
held "$linked" /linked '["read"]' 0
held $$ "" '["read"]' 0
record_has '.kind == "open" and .subject.exe == "'"$holder"'" and .object.ino == '"$(stat -c %i "$T/guarded/one/read")"
# Subshells of this test have the directory too; of files there are eight, and nothing else.
assert_equal "$(record_count '.kind == "open" and .object.path != "'"$T/guarded/one"'"')" 8 "records of files"

# --- status ---
status_json >"$T/status"
jq -e '.already_open.files >= 9 and .already_open.processes >= 9 and (.already_open | has("first") | not)' "$T/status" >/dev/null ||
    fail "over HTTP: $(cat "$T/status")"
expect_ok "$FILEWARD" status -c "$T/conf/fileward.ini"
grep -q "^- $T/guarded/one.* by .*\[[0-9]*\], watch one\$" <<<"$OUTPUT" || fail "status: $OUTPUT"
expect_ok "$FILEWARD" status -c "$T/conf/fileward.ini" --json
jq -e '.already_open.first | length == 8' <<<"$OUTPUT" >/dev/null || fail "status: $OUTPUT"
expect_ok "$FILEWARD" events -c "$T/conf/fileward.ini"
grep -q "open before it was guarded: $T/guarded/one/mapping by $holder\[$pid_mapping\] uid 1000, watch one" <<<"$OUTPUT" ||
    fail "events: $OUTPUT"

# --- a watch that is new; what was told is not told again ---
before=$(record_count '.kind == "open"')
{
    one
    printf '[watch two]\npath = %s\ndefault = deny\n' "$T/guarded/two"
} | policy
expect_ok "$FILEWARD" reload -c "$T/conf/fileward.ini"
record_has '.kind == "open" and .watch == "two" and .subject.pid == '"$late"' and .object.path == "'"$T/guarded/two/late"'"'
until_true 10 looked || fail "the second look is not complete"
assert_equal "$(record_count '.kind == "open" and .watch == "one"')" "$before"
expect_ok "$FILEWARD" reload -c "$T/conf/fileward.ini"
until_true 10 looked || fail "the third is not complete"
assert_equal "$(record_count '.kind == "open" and .watch == "two"')" 1
exit 0
