# promise: explain: says what the daemon then decides, for programs as described and for a process that runs
. tests/system/lib.sh
setup
opener=$T/opener
cp "$BUILD/tests/opener" "$opener"
cp "$BUILD/tests/opener" "$T/stranger"
cp /bin/bash "$T/shell"
mkdir "$T/guarded/out" "$T/guarded/secret"
for file in file out/file secret/file $'odd \e[31m\xff'; do
    echo x >"$T/guarded/$file"
done
chown 1000 "$T/guarded/secret/file"
chmod 644 "$T/guarded/secret/file"
guard <<END
[watch w]
path = $T/guarded
exclude = $T/guarded/out
default = deny
[rule w/secret]
action = deny
path = $T/guarded/secret
uid = 1000
[rule w/reader]
action = allow
op = read
exe = $opener
[rule w/child]
action = allow
uid = root
parent = $T/shell
END

# ends STATUS "PATTERN" COMMAND...: with that status, and says so.
ends() {
    local wanted=$1 pattern=$2
    shift 2
    expect_status "$wanted" "$@"
    grep -Eq -- "$pattern" <<<"$OUTPUT" || fail "does not say /$pattern/: $*: $OUTPUT"
}
explain() {
    limited "$FILEWARD" explain -c "$T/conf/fileward.ini" "$@"
}

# --- good and bad input ---
ends 0 'allow by w/reader' explain --path "$T/guarded/file" --exe "$opener"
ends 5 'deny by w/default: refused' explain --path "$T/guarded/file" --exe "$opener" --op write
ends 5 'w/reader .* fails: exe: .*/stranger is not .*/opener' explain --path "$T/guarded/file" --exe "$T/stranger"
ends 0 'allow by w/child' explain --path "$T/guarded/file" --exe "$T/stranger" --parent "$T/shell"
ends 5 'w/child .* fails: uid: 1000 is not' explain --path "$T/guarded/file" --exe "$T/stranger" --uid 1000 --parent "$T/shell"
ends 5 'deny by w/secret' explain --path "$T/guarded/secret/file" --exe "$opener" --uid 1000
ends 0 'the place is excluded' explain --path "$T/guarded/out/file" --exe "$opener"
ends 0 'not guarded' explain --path /etc/hostname --exe "$opener"
ends 2 '^usage:' explain --path "$T/guarded/file"
ends 2 '^usage:' explain --exe "$opener"
ends 2 '^usage:' explain --path / --pid 1 --exe "$opener"
ends 2 '.--exe: .cat.: give .*absolute' explain --path "$T/guarded/file" --exe cat
ends 2 '.--parent: .sh.: give .*absolute' explain --path "$T/guarded/file" --exe /x --parent sh
ends 2 'no such name' explain --path / --exe /x --uid no-such-user
ends 2 'one of read, write, exec, list' explain --path / --exe /x --op chmod
ends 2 'number of a process' explain --path / --pid zero
ends 1 'there is no process 2147483647' explain --path / --pid 2147483647
kernel=$(pgrep -x kthreadd) && ends 1 'thread of the kernel' explain --path / --pid "$kernel"
# As a user, who may not look at others (this policy may be read by all).
chmod 644 "$T/conf/fileward.ini"
ends 4 'use root' as_user 1000 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path / --pid $$

# --- names ---
odd=$T/guarded/$'odd \e[31m\xff'
ends 5 'deny by w/default' explain --path "$odd" --exe "$T/stranger"
grep -qF "of $T/guarded/odd \\x1b[31m\\xff by" <<<"$OUTPUT" || fail "not escaped: $(cat -v <<<"$OUTPUT")"
json=$(explain --json --path "$odd" --exe "$T/stranger")
assert_equal $? 5 "explain --json"
hex=$(printf %s "$odd" | od -An -v -tx1 | tr -d ' \n')
jq -e --arg hex "$hex" '.path_hex == $hex and (.path | endswith("\u001b[31m\ufffd")) and (has("exe_hex") | not)' \
    <<<"$json" >/dev/null || fail "$json"
! grep -qP '[^\x20-\x7e]' <<<"$json" || fail "not printable ASCII: $json"

# --- as the daemon decides ---
# agree PROGRAM OP FILE [UID]: what explain says is what happens.
agree() {
    local said=0 uid=${4:-0}
    explain --path "$T/guarded/$3" --exe "$1" --op "$2" --uid "$uid" >"$T/said" || said=$?
    if [ $said = 0 ]; then
        expect_ok as_user "$uid" "$1" "$2" "$T/guarded/$3"
    else
        assert_equal $said 5 "explain: $(cat "$T/said")"
        expect_eperm as_user "$uid" "$1" "$2" "$T/guarded/$3"
    fi
}
for program in "$opener" "$T/stranger"; do
    for op in read write; do
        agree "$program" $op file
        agree "$program" $op out/file
        agree "$program" $op secret/file 1000
    done
done

# A process that runs: a shell that is no parent of itself, and what it starts.
# holder SHELL FILE: SHELL writes its pid and then opens FILE when told to.
holder() {
    mkfifo "$T/go"
    # shellcheck disable=SC2016 # the other shell expands it
    "$1" -c 'echo $$ >"$1"; read -r _ <"$2"; : <"$3"' holder "$T/pid" "$T/go" "$2" 2>"$T/held" &
    held=$!
    until_true 5 test -s "$T/pid" || fail "the shell does not run"
}
# release: lets it open; whether it could is in $could (yes, no).
release() {
    echo >"$T/go"
    wait "$held"
    could=yes
    ! grep -q 'Operation not permitted' "$T/held" || could=no
    rm "$T/go" "$T/pid"
}
holder "$T/shell" "$T/guarded/file"
expect_status 5 explain --pid "$(cat "$T/pid")" --path "$T/guarded/file"
release
assert_equal $could no "what the daemon decides for the shell"
holder "$BASH" "$T/guarded/file"
ends 5 'w/reader .*exe: ' explain --pid "$(cat "$T/pid")" --path "$T/guarded/file"
release
assert_equal $could no "what the daemon decides for bash"
# Below the shell that the policy names: allowed to read.
mkfifo "$T/go"
# shellcheck disable=SC2016 # the other shell expands it
"$T/shell" -c '"$0" -c "echo \$\$ >\"\$1\"; read -r _ <\"\$2\"; : <\"\$3\"" x "$@"; :' \
    "$BASH" "$T/pid" "$T/go" "$T/guarded/file" 2>"$T/held" &
held=$!
until_true 5 test -s "$T/pid" || fail "the child does not run"
ends 0 'allow by w/child' explain --pid "$(cat "$T/pid")" --path "$T/guarded/file"
release
assert_equal $could yes "what the daemon decides for the shell's child: $(cat "$T/held")"
