# promise: whatever a user makes of his guarded directory while files in it are opened (mounts, links, FIFOs, leases), others do not wait
. tests/system/lib.sh
. tests/system/traps.sh
setup
not_sanitized "they are too slow for the bounds"
home=$T/home/u
mkdir -p "$home/.ssh/d" "$home/.ssh/e" "$home/hung" "$T/guarded/sub"
echo x >"$T/guarded/file"
cp "$BUILD/tests/hammer" "$T/tool"
cp "$BUILD/tests/hammer" "$T/users"
cp "$BUILD/tests/opener" "$T/opener"
chown -R 1000:1000 "$home"
# With something left out, the place of a file that was not there at the start is asked for at each of its questions.
guard <<END
[watch w]
path    = $home/.ssh $T/guarded
exclude = $home/.ssh/left-out $T/guarded/left-out
default = deny
[rule w/tools]
action = allow
exe = $T/tool $T/opener
END
file=$T/guarded/file
undisturbed "$T/tool" "$file" 0.1

# newcomer DIR: a file that was not there at the start, and a process that keeps asking about it; what came of it is in
# $T/asked. It goes by the directory itself, whatever its name means by then.
newcomer() {
    as_user 1000 sh -c "echo x >'$home/made'"
    mv "$home/made" "$home/.ssh/$1/new"
    (cd "$home/.ssh/$1" && exec "$T/users" -s 4 new) >"$T/asked" 2>&1 &
    ASKER=$!
    until_true 5 a_record_has ".subject.pid == $ASKER and .verdict == \"deny\"" || fail "no question about $1/new"
}
answered() {
    wait "$ASKER" || fail "$1: $(cat "$T/asked")"
    echo "$1: $(cat "$T/asked")"
    jq -e '.eperm > 0 and .ok == 0 and .ebusy == 0 and .worst_us < 300000' "$T/asked" >/dev/null || fail "$1: $(cat "$T/asked")"
    assert_equal "$(metric fileward_rescues_total)" 0 "$1: rescues"
    assert_equal "$(metric 'fileward_timeouts_total{watch="w"}')" 0 "$1: timeouts"
}

# A mount over the directory.
newcomer d
hung_mount "$home/.ssh/d" -o -u 1000
hang "$home/.ssh/d"
undisturbed "$T/tool" "$file" 2
never_answers stat "$home/.ssh/d/new" || fail "no trap at .ssh/d"
answered "a mount"
release_all

# The directory goes and comes, and now and then a link into a hung file system has its name.
hung_mount "$home/hung" -o -u 1000
hang "$home/hung"
newcomer e
as_user 1000 sh -c "cd '$home/.ssh' && until [ -e ../enough ]; do mv e x && ln -s ../hung e && rm e && mv x e; done" &
swapper=$!
undisturbed "$T/tool" "$file" 2
answered "links"
touch "$home/enough"
wait "$swapper" || fail "the directory did not come and go to the end"

# A FIFO under the name of such a file.
as_user 1000 sh -c "mkfifo '$home/fifo' && mv '$home/fifo' '$home/.ssh/e/new'" || fail "no FIFO"
never_answers cat "$home/.ssh/e/new" || fail "no trap: the FIFO can be opened"
undisturbed "$T/tool" "$file" 1

# A lease on a file that is then moved in.
mkfifo "$T/hold"
as_user 1000 sh -c "echo x >'$home/leased'"
as_user 1000 "$T/opener" lease "$home/leased" <"$T/hold" >"$T/said" 2>&1 &
exec 9>"$T/hold"
until_true 5 grep -q leased "$T/said" || fail "no lease: $(cat "$T/said")"
mv "$home/leased" "$home/.ssh/e/leased"
timeout -s KILL 5 cat "$home/.ssh/e/leased" >/dev/null 2>&1 &
undisturbed "$T/tool" "$file" 2
[ "$(metric 'fileward_kernel_refused_total{watch="w"}')" -ge 1 ] || fail "no trap: the leased file can be opened"
exec 9>&-
assert_equal "$(metric 'fileward_timeouts_total{watch="w"}')" 0 "timeouts"
release_all
