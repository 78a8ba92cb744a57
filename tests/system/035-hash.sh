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

# A program that is guarded itself: whoever hashes it is not asked.
cp "$T/bin/cat" "$T/guarded/program"
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
