# promise: condition exe_sha256: a program is what is in it, wherever it lies, and no longer when that was changed in place
. tests/system/lib.sh
setup
file=$T/guarded/file
echo secret >"$file"
mkdir "$T/bin"
cp /bin/cat "$T/bin/cat"
cp /bin/cat "$T/copy"
cp /bin/cat "$T/other"
printf x >>"$T/other"
chmod 755 "$T" # for users
wanted=$(sha256sum "$T/copy")
wanted=${wanted%% *}

guard "timeout = 2s" <<END # on a busy machine the clerk is late, too
[watch w]
path = $T/guarded
default = deny
[rule w/hash]
action = allow
exe_sha256 = ${wanted^^} 0000000000000000000000000000000000000000000000000000000000000000
END
assert [ "$(role_pid clerk)" ]
expect_ok "$T/copy" "$file"
expect_ok "$T/copy" "$file"
expect_ok "$T/bin/cat" "$file"
expect_eperm "$T/other" "$file"
expect_ok as_user 1234 "$T/copy" "$file"
expect_eperm as_user 1234 "$T/other" "$file"

# Changed in place: the same inode, another program. And back again.
printf x >>"$T/copy"
expect_eperm "$T/copy" "$file"
truncate -s -1 "$T/copy"
expect_ok "$T/copy" "$file"
# So fast that the kernel's clock may not have moved on, again and again.
for _ in {1..20}; do
    expect_ok "$T/copy" "$file"
    printf x >>"$T/copy"
    expect_eperm "$T/copy" "$file"
    truncate -s -1 "$T/copy"
done

# What is mounted meanwhile does not end the clerk, nor what runs from there.
clerk=$(role_pid clerk)
mkdir "$T/mounted"
mount -t tmpfs fileward-test "$T/mounted"
cp "$T/copy" "$T/mounted/copy"
expect_ok "$T/mounted/copy" "$file"
umount -l "$T/mounted"
cp "$T/copy" "$T/another"
expect_ok "$T/another" "$file"
assert_equal "$(role_pid clerk)" "$clerk" "the clerk"

# Where each directory can be a device of its own, that no table of mounts knows, a user's program is known by its name.
mkdir "$T/btrfs"
if command -v mkfs.btrfs >/dev/null && truncate -s 200M "$T/image" && mkfs.btrfs -q "$T/image" >/dev/null 2>&1 &&
    mount -o loop "$T/image" "$T/btrfs"; then
    mkdir "$T/btrfs/his"
    cp "$T/copy" "$T/other" "$T/btrfs/his"
    chown -R 1234 "$T/btrfs/his"
    expect_ok as_user 1234 "$T/btrfs/his/copy" "$file"
    expect_eperm as_user 1234 "$T/btrfs/his/other" "$file"
    umount "$T/btrfs" || fail "the clerk keeps a file system"
else
    echo "no btrfs here"
fi
rm -f "$T/image"

# A deny rule holds also where nothing can be told.
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = allow
[rule w/hash]
action = deny
exe_sha256 = $wanted
END
expect_eperm "$T/bin/cat" "$file"
expect_ok "$T/other" "$file"

# The rule's other conditions come first, so that nobody is looked up for nothing.
expect_status 0 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path "$file" --exe "$T/other"
assert grep -q 'exe_sha256: .* is not the one that the rule names' <<<"$OUTPUT"
expect_status 5 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path "$file" --exe "$T/bin/cat"

# In audit mode nothing is refused, whatever becomes of the clerk.
guard "mode = audit" "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/hash]
action = allow
exe_sha256 = $wanted
END
expect_ok "$T/other" "$file"
record_has '.decision == "deny" and .verdict == "allow" and .reason == "default"'
kill -STOP "$(role_pid clerk)"
cp "$T/other" "$T/unseen"
expect_ok "$T/unseen" "$file"
record_has '.kind == "timeout" and .verdict == "allow"'

cp "$T/bin/cat" "$T/guarded/program" # for later

# Somebody's long programs keep only him waiting: they are read while nobody else waits, and in the end they are known.
guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/hash]
action = allow
exe_sha256 = $wanted
uid = root
[rule w/hash-too]
action = allow
exe_sha256 = $wanted
END
opens() {
    while :; do
        for i in 1 2 3 4; do
            "$T/long/$i" "$file" &
        done
        wait
    done
}
mkdir -m 777 "$T/long"
for i in 1 2 3 4; do
    cp "$T/copy" "$T/long/$i"
    truncate -s 300M "$T/long/$i"
done
export T file
timeout -s KILL 60 setpriv --reuid 1234 --regid 1234 --clear-groups bash -c "$(declare -f opens); opens" >/dev/null 2>&1 &
long=$!
record_has '.subject.uid == 1234 and .kind == "timeout"'
for i in {1..10}; do
    cp "$T/copy" "$T/fresh.$i"
    expect_ok "$T/fresh.$i" "$file"
done
is_gone "$long" && fail "nobody runs long programs"
denied() { a_record_has '.subject.uid == 1234 and .kind == "access" and .verdict == "deny"'; }
until_true 40 denied || fail "long programs are never known"
# The clerk hangs in one of them: the next one leaves that user alone, and nobody else.
hangs_for_him() {
    local clerk
    clerk=$(role_pid clerk)
    kill -STOP "$clerk"
    until_true 20 is_gone "$clerk" || fail "a clerk that hangs is not replaced"
    grep -q 'the clerk hangs in a look at what uid 1234 runs' "$T/stderr"
}
for i in 5 6; do # not known yet
    cp "$T/copy" "$T/long/$i"
    truncate -s 1000M "$T/long/$i"
    as_user 1234 "$T/long/$i" "$file" >/dev/null 2>&1 &
    until_true 5 a_record_has '.subject.exe == "'"$T/long/$i"'" and .kind == "timeout"' || fail "it does not ask"
    ! hangs_for_him || break
done
grep -q 'uid 1234 runs' "$T/stderr" || fail "nobody is blamed"
allowed() { cp "$T/copy" "$T/again" && limited "$T/again" "$file" >/dev/null 2>&1; }
until_true 5 allowed || fail "nobody is allowed after it"
cp "$T/copy" "$T/his"
expect_busy as_user 1234 "$T/his" "$file"
# Nor whoever runs the same program as he does, who asks and asks.
asks() { while :; do "$T/his" "$file"; done; }
timeout -s KILL 30 setpriv --reuid 1234 --regid 1234 --clear-groups bash -c "$(declare -f asks); asks" >/dev/null 2>&1 &
asking=$!
late() { metric 'fileward_timeouts_total{watch="w"}'; }
before=$(late)
asks_on() { [ "$(late)" -gt $((before + 2)) ]; }
until_true 5 asks_on || fail "he does not ask"
expect_ok as_user 1235 "$T/his" "$file"
kill "$asking"
until_true 5 is_gone "$asking" || fail "he does not end"
kill "$long" # and with it all that it started
until_true 5 is_gone "$long" || fail "long programs do not end"
# Or dies in it.
dies_for_him() {
    local clerk
    clerk=$(role_pid clerk)
    kill -ABRT "$clerk"
    until_true 20 is_gone "$clerk" || fail "the clerk does not die"
    until_true 5 role_pid clerk >/dev/null || fail "there is no other clerk"
    grep -q 'the clerk died in a look at what uid 1235 runs' "$T/stderr"
}
for i in 7 8; do
    cp "$T/copy" "$T/long/$i"
    truncate -s 1000M "$T/long/$i"
    as_user 1235 "$T/long/$i" "$file" >/dev/null 2>&1 &
    until_true 5 a_record_has '.subject.exe == "'"$T/long/$i"'" and .kind == "timeout"' || fail "it does not ask"
    ! dies_for_him || break
done
grep -q 'uid 1235 runs' "$T/stderr" || fail "nobody is blamed for a death"
cp "$T/copy" "$T/his.too"
expect_busy as_user 1235 "$T/his.too" "$file"
until_true 5 allowed || fail "nobody is allowed after that"
rm -f "$T/long"/*

# A program that lies on what its server no longer answers for, below an overlay that only its own mount tree shows, is
# unknown: whoever would read it waits for ever, deaf to every signal.
mkdir "$T/fuse" "$T/empty" "$T/merged"
mkfifo "$T/gate"
cat >"$T/hides.sh" <<'END'
"$BUILD/tests/hungfs" "$T/fuse" "$BUILD/tests/hammer" >"$T/server.said" &
echo $! >"$T/server.pid"
until grep -q mounted "$T/server.said"; do sleep 0.02; done
mount -t overlay overlay -o "lowerdir=$T/fuse:$T/empty" "$T/merged" && exec "$T/merged/prog" -n 20 "$T/gate" "$file"
END
if [ -c /dev/fuse ]; then
    unshare -m --propagation private env BUILD="$BUILD" T="$T" file="$file" bash "$T/hides.sh" >"$T/hidden" 2>"$T/hides" &
    hidden=$!
    runs() { [[ $(readlink "/proc/$hidden/exe") == */merged/prog ]]; }
    until_true 10 runs || fail "no program on an overlay over FUSE: $(cat "$T/hides")"
    server=$(cat "$T/server.pid")
    kill -USR1 "$server"
    until_true 5 grep -q hung "$T/server.said" || fail "the server does not hang"
    clerk=$(role_pid clerk)
    exec 9>"$T/gate" # now it asks
    until_true 5 a_record_has '.subject.pid == '$hidden || fail "it does not ask"
    for i in {1..5}; do
        cp "$T/copy" "$T/beside.$i"
        expect_ok "$T/beside.$i" "$file"
    done
    until_true 10 is_gone "$hidden" || fail "it waits"
    jq -e '.ok == 10 and .eperm == 10' "$T/hidden" >/dev/null || fail "it is not unknown: $(cat "$T/hidden")"
    assert_equal "$(role_pid clerk)" "$clerk" "the clerk"
    exec 9>&-
    kill -KILL "$server"
fi

# A program that is guarded itself: whoever hashes it is not asked.
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/run]
action = allow
op = exec
[rule w/hash]
action = allow
exe_sha256 = $wanted
END
expect_ok "$T/guarded/program" "$file"

# The keeper dies: its judge guards on, with the clerk. Then comes another keeper.
clerk=$(role_pid clerk)
kill -KILL "$DAEMON"
wait_for_end 5
cp "$T/bin/cat" "$T/later"
expect_ok "$T/later" "$file"
expect_eperm "$T/other" "$file"
start
assert [ "$(role_pid clerk)" != "$clerk" ]
until_true 5 is_gone "$clerk" || fail "the clerk of before stays"
cp "$T/bin/cat" "$T/latest"
expect_ok "$T/latest" "$file"

# A policy that asks nothing of the clerk has none.
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
END
assert_equal "$(role_pid clerk)" ""
