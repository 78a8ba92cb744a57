# promise: executing a file and reading it are told apart, for programs and for scripts
. tests/system/lib.sh
setup
cp /bin/true "$T/guarded/program"
sh=$(readlink -f "$(command -v sh)")
cat=$(readlink -f "$(command -v cat)")
cp "$sh" "$T/sh"
printf '#!%s\necho ran\n' "$T/sh" >"$T/guarded/script"
chmod 755 "$T/guarded/script"

guard <<END
[watch w]
path = $T/guarded
default = deny
log = all
[rule w/exec]
action = allow
op = exec
exe = /**
uid = 1000
[rule w/read]
action = allow
op = read
exe = $sh $T/sh $cat
uid = 1001
[rule w/interpreter]
action = allow
op = read
exe = $T/sh
uid = 1000
END

# May execute, may not read.
expect_ok as_user 1000 "$T/guarded/program"
record_has '.op == "exec" and .rule == "w/exec" and .verdict == "allow" and .object.path == "'"$T"'/guarded/program"'
expect_eperm as_user 1000 cat "$T/guarded/program"
expect_ok as_user 1000 "$T/guarded/script"
assert_equal "$OUTPUT" ran
# May read, may not execute. "sh script" is a read by sh.
expect_eperm as_user 1001 "$T/guarded/program"
record_has '.op == "exec" and .rule == "w/default" and .verdict == "deny" and .subject.uid == 1001'
expect_ok as_user 1001 cat "$T/guarded/program"
expect_eperm as_user 1001 "$T/guarded/script"
expect_ok as_user 1001 sh "$T/guarded/script"
assert_equal "$OUTPUT" ran
record_has '.op == "read" and .rule == "w/read" and .subject.uid == 1001 and .object.path == "'"$T"'/guarded/script"'
# The kernel asks twice about an exec; nothing of it counts as a read or a write.
assert_equal "$(record_count '.subject.uid == 1001 and .object.path == "'"$T"'/guarded/program" and .op == "write"')" 0
assert_equal "$(decided w w/exec read allow allow)" 0
assert_equal "$(decided w w/default write deny deny)" 0 "refused writes"
