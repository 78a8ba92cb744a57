# promise: every command says what is wrong and what to do, ends with the promised exit status, and is harmless to a terminal
. tests/system/lib.sh
setup
echo x >"$T/guarded/file"
policy_file=$T/conf/fileward.ini

# ends STATUS "PATTERN" COMMAND...: with that status, and says so.
ends() {
    local wanted=$1 pattern=$2
    shift 2
    expect_status "$wanted" "$@"
    grep -Eq -- "$pattern" <<<"$OUTPUT" || fail "does not say /$pattern/: $*: $OUTPUT"
}

# harmless FILE: nothing in it that a terminal would obey.
harmless() {
    ! grep -aqP '[\x00-\x09\x0b-\x1f\x7f]|\xe2\x80[\x8b-\xae]|\xc2[\x80-\x9f]' "$1" || fail "raw bytes: $(cat -v "$1")"
    iconv -f UTF-8 -t UTF-8 "$1" >/dev/null 2>&1 || fail "invalid UTF-8: $(cat -v "$1")"
}

# --- the words ---
ends 2 '^usage: fileward COMMAND' "$FILEWARD"
ends 0 '^usage: fileward COMMAND' "$FILEWARD" help
ends 0 '^usage: fileward COMMAND' "$FILEWARD" --help
for word in version --version -V; do
    ends 0 '^fileward [0-9.]+$' "$FILEWARD" $word
done
# shellcheck disable=SC2016 # quotes of messages
ends 2 'no command `stauts`.*fileward help' "$FILEWARD" stauts
"$FILEWARD" $'\e[2J\xff' 2>"$T/said"
harmless "$T/said"
for command in run check explain status events harden; do
    ends 0 "^usage: fileward $command" "$FILEWARD" $command --help
    ends 2 "^fileward $command: .*--no-such-option" "$FILEWARD" $command --no-such-option
    ends 2 "^usage: fileward $command" "$FILEWARD" $command and more
    ends 2 "^fileward $command: .*requires an argument" "$FILEWARD" $command -c
done

# --- a policy that cannot be read ---
for command in check "explain --path / --exe /x" "harden w/x"; do
    # shellcheck disable=SC2086 # of several words
    ends 3 "$T/nowhere: does not exist" "$FILEWARD" $command -c "$T/nowhere"
    [[ $OUTPUT != *"no user"* ]] || fail "speaks of users: $OUTPUT"
done
for command in status events; do
    ends 3 "cannot read $T/nowhere: No such file" "$FILEWARD" $command -c "$T/nowhere"
    ends 3 "cannot use $T/guarded: is a directory" "$FILEWARD" $command -c "$T/guarded"
done
policy <<END
[watch w]
path = $T/guarded
default = deny
END
for command in check "explain --path / --exe /x" "harden w/x" status events; do
    # shellcheck disable=SC2086 # of several words
    ends 4 "$policy_file.*root" as_user 1000 "$FILEWARD" $command -c "$policy_file"
done

# --- check ---
ends 0 '^policy ok: 1 watch, 0 rules$' "$FILEWARD" check -c "$policy_file"
ends 0 '^policy ok' "$FILEWARD" check --strict -c "$policy_file"
: >"$policy_file"
ends 3 'no \[watch \.\.\.\]: there is nothing to guard' "$FILEWARD" check -c "$policy_file"
ends 3 'no \[watch \.\.\.\]: there is nothing to guard' "$FILEWARD" run -c "$policy_file"
policy <<<"[watch w]
pth = /x"
# shellcheck disable=SC2016 # quotes of messages
ends 3 'fileward.ini:[0-9]*: unknown key `pth`: did you mean `path`' "$FILEWARD" check -c "$policy_file"
ends 3 '3 errors|2 errors' "$FILEWARD" check -c "$policy_file"
"$FILEWARD" check --json -c "$policy_file" >"$T/said"
assert_equal $? 3 "check --json"
jq -e '.ok == false and .findings[0].severity == "error"' "$T/said" >/dev/null || fail "$(cat "$T/said")"
policy <<END
[watch w]
path = $T/guarded
default = deny
[rule w/login]
action = allow
loginuid = 1000
[rule w/child]
action = allow
ancestor = /bin/cat
END
ends 0 '^policy ok: 1 watch, 2 rules$' "$FILEWARD" check -c "$policy_file"
ends 1 'warning: .rule w/login. rests on loginuid' "$FILEWARD" check --strict -c "$policy_file"
ends 1 'warning: .rule w/child. rests on ancestor' "$FILEWARD" check --strict -c "$policy_file"
hostile=$T/conf/$'evil\e[2J\xff.ini'
printf '[watch \e[2J]\n' >"$hostile"
"$FILEWARD" check -c "$hostile" >"$T/said" 2>&1
assert_equal $? 3 "a hostile policy"
harmless "$T/said"
"$FILEWARD" check --json -c "$hostile" >"$T/said"
jq -e '.findings[0].file_hex' "$T/said" >/dev/null || fail "no file_hex: $(cat "$T/said")"
harmless "$T/said"

# --- status ---
policy <<END
[watch w]
path = $T/guarded
default = deny
END
ends 3 "not running: nobody answers at $SOCKET; start it with" "$FILEWARD" status -c "$policy_file"
ends 3 'not running' "$FILEWARD" status --socket "$T/nobody"
start
ends 0 'healthy, mode enforce' "$FILEWARD" status -c "$policy_file"
ends 0 'healthy, mode enforce' "$FILEWARD" status --socket "$SOCKET"
grep -Eq '^w +enforce +open +inode +deny +deny +2 +0' <<<"$OUTPUT" || fail "no line of the watch: $OUTPUT"
ends 4 'not permitted' as_user 1000 "$FILEWARD" status --socket "$SOCKET"
"$FILEWARD" status --json -c "$policy_file" | jq -e '.healthy and .watches[0].marks == 2' >/dev/null || fail "status --json"
stop
ends 3 'not running' "$FILEWARD" status -c "$policy_file"
