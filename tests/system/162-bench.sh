# promise: `fileward bench` measures every watch, guards nothing but what it made itself, and leaves nothing behind
. tests/system/lib.sh
. tests/system/deaths.sh
setup
own_run # another bench of this machine is not the test's business
echo x >"$T/guarded/file"
mkdir -p "$T/home/.ssh"
policy <<END
[watch plain]
path = $T/guarded
exclude = $T/guarded/not
default = deny
[rule plain/who]
action = allow
op = read list
uid = 1000-2000 owner
exe = /usr/bin/cat "/usr/bin/with blank"
ancestor = /usr/bin/bash
unit = ssh.service
path = $T/guarded/sub
expires = 2100-01-01T00:00:01Z
[watch odd]
path = ~/.ssh $T/*/x?[ab] $T/a**z
default = allow
guard = open+read
[rule odd/public]
action = deny
object = public
gid = 5
[watch all]
path = $T/all
default = deny
coverage = filesystem
[watch clerk]
path = $T/clerk
default = deny
[rule clerk/cat]
action = allow
exe = /usr/bin/cat
exe_sha256 = $(sha256sum /usr/bin/cat | cut -d ' ' -f 1)
trust = packaged
code = intact
[rule clerk/another]
action = deny
exe_sha256 = 0000000000000000000000000000000000000000000000000000000000000000
END
# What it could leave: directories of its own, and below those of a daemon the copy of its policy.
left() {
    find /run -maxdepth 1 -name 'fileward-bench.*'
    find /run/fileward /var/lib/fileward 2>/dev/null
}
mkdir -p /run/fileward /var/lib/fileward/last-good/%of%somebody
before=$(left)
device=$(stat -c %d "$T")
"$FILEWARD" bench -c "$T/conf/fileward.ini" --rounds 5 --uid 1000 --exe /usr/bin/cat --json >"$T/out" 2>"$T/err" </dev/null &
bench=$!
judge_of_bench() {
    JUDGE=$(pgrep --exact fileward-judge | while read -r pid; do
        grep -qsF " $T " "/proc/$pid/mountinfo" && echo "$pid"
    done | head -n 1)
    [ "$JUDGE" ] && grep -qs '^fanotify ino:' /proc/"$JUDGE"/fdinfo/* && grep -qs '^fanotify sdev:' /proc/"$JUDGE"/fdinfo/*
}
until_true 30 judge_of_bench || fail "no judge with marks of both kinds is seen: $(cat "$T/err")"
keeper=$(awk '/^PPid:/ { print $2 }' "/proc/$JUDGE/status")
pgrep --parent "$keeper" --exact fileward-clerk >/dev/null || fail "there is no clerk to be waited for"
marks=$(cat /proc/"$JUDGE"/fdinfo/* | sed -n 's/^fanotify .*sdev:\([0-9a-f]*\).*/\1/p' | sort -u)
assert_equal "$(wc -l <<<"$marks")" 1 "file systems with marks"
[ $((16#$marks)) != "$device" ] || fail "the machine's own file system is marked"
copy=$(cat /proc/"$keeper"/root/run/fileward-bench.*/fileward.ini) || fail "the policy of the bench's daemon cannot be read"
for line in 'trust = packaged' 'code = intact' 'coverage = filesystem'; do
    grep -qx "$line" <<<"$copy" || fail "it is measured without $line: $copy"
done
assert_equal "$(grep -c '^exe_sha256 = ' <<<"$copy")" 5 "hashes: the program's and our own, in two rules; another's alone"
# What lies in a home is the user's, as `uid = owner` expects.
assert_equal "$(stat -c %u /proc/"$keeper"/root/run/fileward-bench.*/home/.ssh/0)" 1000 "owner of a file in a home"
wait $bench || fail "bench: $(cat "$T/err")"
assert_equal "$(jq -c '[.watches[].watch]' "$T/out")" '["plain","odd","all","clerk"]' "watches"
assert_equal "$(jq '[.watches[] | .open, .open_by_4, .first_open | .guarded_us.median, .unguarded_us.median | select(. <= 0)] | length' \
    "$T/out")" 0 "numbers that are not"
assert jq -e '.watches[0].open | .guarded_us.median > .unguarded_us.median' "$T/out"
assert_equal "$(left)" "$before" "what is left behind"
expect_ok cat "$T/guarded/file"

# A daemon that does not stop is ended, and all that belongs to it.
"$FILEWARD" bench -c "$T/conf/fileward.ini" --rounds 5 >"$T/out" 2>"$T/err" </dev/null &
bench=$!
until_true 30 judge_of_bench || fail "no other judge is seen: $(cat "$T/err")"
keeper=$(awk '/^PPid:/ { print $2 }' "/proc/$JUDGE/status")
is_ready() { grep -qs '^fileward: ready:' /proc/"$keeper"/root/run/fileward-bench.*/said; }
until_true 30 is_ready || fail "it does not get ready: $(cat "$T/err")"
mapfile -t family < <(echo "$keeper" && pgrep --parent "$keeper")
[ ${#family[@]} -ge 6 ] || fail "processes of the bench's daemon: ${family[*]}"
kill -STOP "$keeper"
wait $bench || fail "bench, with a keeper that is stopped: $(cat "$T/err")"
are_gone "${family[@]}" || fail "left behind: $(ps -o pid,stat,comm -p "$(join , "${family[@]}")")"
assert_equal "$(left)" "$before" "what is left behind"

expect_status 2 "$FILEWARD" bench --rounds 0
expect_status 2 "$FILEWARD" bench --uid nobody
expect_status 3 "$FILEWARD" bench -c "$T/conf/missing.ini"
expect_status 4 as_user 1000 "$FILEWARD" bench -c "$T/conf/fileward.ini"

# On a machine that has had no daemon yet, nothing of one is left; whether it ends or is interrupted.
rmdir /run/fileward
mount -t tmpfs -o mode=0755 fileward-test /var/lib || fail "cannot mount a tmpfs at /var/lib"
policy <<END
[watch plain]
path = $T/guarded
default = deny
END
nothing_left() {
    [ -z "$(left)" ] || fail "$1 left behind: $(left)"
}
COMMAND_SECONDS=60 expect_ok "$FILEWARD" bench -c "$T/conf/fileward.ini" --rounds 1
nothing_left "what was measured"
timeout --signal INT 1 "$FILEWARD" bench -c "$T/conf/fileward.ini" --rounds 1000 >"$T/out" 2>&1
nothing_left "one that was interrupted"
