# promise: `run` with what it cannot use ends at once, with the right status and a message that says the remedy
. tests/system/lib.sh
setup
echo x >"$T/guarded/file"
policy_file=$T/conf/fileward.ini

# ends STATUS PATTERN: `run` ends with that status and says so; nothing stays behind.
ends() {
    rm -rf /var/lib/fileward/*
    launch "${@:3}"
    wait_for_end 10
    assert_equal "$STATUS" "$1" "status; it said: $(cat "$T/stderr")"
    grep -Eq -- "$2" "$T/stderr" || fail "it does not say '$2': $(cat "$T/stderr")"
    [ "$(wc -l <"$T/stderr")" -lt 20 ] || fail "it says too much"
    expect_ok cat "$T/guarded/file"
}
good() {
    policy "$@" <<END
[watch w]
path = $T/guarded
default = deny
END
}

# Not root: said before anything is read.
good
expect_status 4 as_user 1000 "$FILEWARD" run -c "$policy_file"
[[ $OUTPUT == *root* ]] || fail "$OUTPUT"
# Root without the capability, as in a container.
if command -v capsh >/dev/null; then
    limited capsh --drop=cap_sys_admin -- -c "exec '$FILEWARD' run -c '$policy_file'" >"$T/said" 2>&1
    status=$?
    [ $status = 4 ] || [ $status = 1 ] || fail "without CAP_SYS_ADMIN: $status: $(cat "$T/said")"
    grep -qi CAP_SYS_ADMIN "$T/said" || fail "the capability is not named: $(cat "$T/said")"
fi
# What is asked for is not known.
expect_status 2 "$FILEWARD" run -c "$policy_file" extra
expect_status 2 "$FILEWARD" run --no-such-option
expect_ok "$FILEWARD" run --help
[[ $OUTPUT == usage:* ]] || fail "$OUTPUT"

# Files that are no policy.
bad() { # PATTERN, with the file in place
    ends 3 "fileward.ini(:[0-9]+)?: .*($1)"
    grep -q 'not started: [0-9]* error' "$T/stderr" || fail "it is not said that it did not start"
    rm -rf "$policy_file"
}
rm "$policy_file" && bad "does not exist"
mkdir "$policy_file" && bad "directory"
mkfifo -m 600 "$policy_file" && bad "regular file"
truncate -s 100M "$policy_file" && bad "too large"
head -c 100000 /dev/urandom >"$policy_file" && bad "."
cp /bin/true "$policy_file" && bad "NUL|text"
ln -s /dev/zero "$policy_file" && bad "regular file|trusted|symbolic"
mknod "$policy_file" c 1 5 && bad "regular file"
good && chmod 666 "$policy_file" && bad "written by.*chmod go-w"
good && chmod 620 "$policy_file" && bad "written by.*chmod go-w"
good && chown 1000 "$policy_file" && bad "uid 1000.*root"
good && chmod 777 "$T/conf" && bad "writable by root only"
chmod 755 "$T/conf"
good && chown 1000 "$T/conf" && bad "belong to root"
chown 0 "$T/conf"
: >"$policy_file" && ends 3 "nothing to guard"
policy <<END
[watch w]
pth = $T/guarded
default = maybe
[rule x/y]
END
ends 3 "fileward.ini:[0-9]+: unknown key .pth.: did you mean .path.\\?"
grep -Eq 'fileward.ini:[0-9]+: default: unknown value' "$T/stderr" || fail "only one error is told"
grep -Eq 'there is no \[watch x\]' "$T/stderr" || fail "only two errors are told"
# Keys that this version knows and does not do.
for line in "changes = record" "changes = hash"; do
    policy <<<"[watch w]
path = $T/guarded
default = deny
$line"
    ends 3 "${line/+/.} is not available in this version"
done
policy <<<"[watch w]
path = $T/guarded
default = deny
coverage = filesystem
changes = ignore"
start
expect_eperm cat "$T/guarded/file"
stop
for line in "timeout = 5ms" "timeout = 11s" "listen = 0.0.0.0:9842" "on_timeout = maybe" "user = no-such-user"; do
    good "$line"
    ends 3 "fileward.ini:[0-9]+: ${line%% *}: "
done
# One in policy.d counts as much.
good
mkdir "$T/conf/policy.d"
echo nonsense >"$T/conf/policy.d/10.ini"
chmod 600 "$T/conf/policy.d/10.ini"
ends 3 "policy.d/10.ini:1: "
rm -r "$T/conf/policy.d"
# What cannot be guarded.
policy <<<"[watch w]
path = /proc/self/status
default = deny"
ends 3 "/proc/self/status.*proc"

# Beside one that runs.
good
start
first=$DAEMON
# Another socket and the same port, then the same socket; the first does not mind.
sed "s|^socket = .*|socket = $T/run2/socket|; s|^log_file = .*|log_file = $T/log2/records|" "$policy_file" >"$T/conf/second.ini"
chmod 600 "$T/conf/second.ini"
expect_status 1 "$FILEWARD" run -c "$T/conf/second.ini"
[[ $OUTPUT == *"$LISTEN"*listen*off* ]] || fail "busy port: $OUTPUT"
expect_status 1 "$FILEWARD" run -c "$policy_file"
[[ $OUTPUT == *"runs already (process $first)"* ]] || fail "second run: $OUTPUT"
expect_eperm cat "$T/guarded/file"
record_has '.verdict == "deny"'
assert_equal "$(http_status /healthz)" 200
stop
assert_equal "$STATUS" 0
# A socket that a crash left is no obstacle.
start
kill -KILL $(pgrep --parent "$DAEMON") "$DAEMON"
wait_for_end 5
[ -e "$SOCKET" ] || fail "there is no socket left to try with"
until_true 5 cat "$T/guarded/file" >/dev/null 2>&1
start
expect_eperm cat "$T/guarded/file"
