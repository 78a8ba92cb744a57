# promise: enforce: program, user and ancestor decide who reads; each refusal is EPERM, a record and a count
. tests/system/lib.sh
setup

echo secret >"$T/guarded/file"
echo secret >"$T/guarded/other"
cp /bin/cat "$T/cat"
cp /bin/bash "$T/trusted-shell"
cp /bin/bash "$T/strange-shell"
cat=$(readlink -f "$(command -v cat)")
head=$(readlink -f "$(command -v head)")
# Without a gate each of these routes leads to the file.
expect_ok cat "$T/guarded/file"
expect_ok "$T/cat" "$T/guarded/file"
expect_ok as_user 1000 cat "$T/guarded/file"

guard <<END
[watch w]
path = $T/guarded
default = deny
log = all

[rule w/cat]
action = allow
op = read
exe = $cat
uid = 0
reason = "cat may"

[rule w/child]
action = allow
op = read
exe = $head
ancestor = $T/trusted-shell
END

expect_ok cat "$T/guarded/file"
assert_equal "$OUTPUT" secret
record_has '.kind == "access" and .rule == "w/cat" and .op == "read" and .decision == "allow" and .verdict == "allow"
    and .reason == "cat may" and .mode == "enforce" and .watch == "w"
    and .subject.exe == "'"$cat"'" and .subject.uid == 0 and .object.path == "'"$T"'/guarded/file"'
assert_equal "$(decided w w/cat read allow allow)" 1 "reads by cat"

# The same content under another name is another program.
expect_eperm "$T/cat" "$T/guarded/file"
record_has '.rule == "w/default" and .op == "read" and .decision == "deny" and .verdict == "deny"
    and .reason == "default" and .subject.exe == "'"$T"'/cat"'
assert_equal "$(decided w w/default read deny deny)" 1 "refused reads"

# The same program as another user is another subject.
expect_eperm as_user 1000 cat "$T/guarded/file"
record_has '.decision == "deny" and .subject.exe == "'"$cat"'" and .subject.uid == 1000 and .subject.ruid == 1000
    and .subject.gid == 1000'
assert_equal "$(decided w w/default read deny deny)" 2 "refused reads"

# A child of the ancestor passes, also through a stranger between; a stranger's child does not.
expect_ok "$T/trusted-shell" -c "head '$T/guarded/file'; exit \$?"
expect_ok "$T/trusted-shell" -c "'$T/strange-shell' -c \"head '$T/guarded/other'; exit \\\$?\"; exit \$?"
record_has '.rule == "w/child" and .subject.ancestors[0].exe == "'"$T"'/strange-shell"
    and .subject.ancestors[1].exe == "'"$T"'/trusted-shell"'
assert_equal "$(decided w w/child read allow allow)" 2 "reads by children"
expect_eperm "$T/strange-shell" -c "head '$T/guarded/file'; exit \$?"
expect_eperm head "$T/guarded/file"
# The ancestor itself is not its own child.
expect_eperm "$T/trusted-shell" -c "exec <'$T/guarded/file'"

# It is the marks that do it: with the daemon gone everybody reads again.
stop
assert_equal "$STATUS" 0 "exit status"
expect_ok "$T/cat" "$T/guarded/file"
