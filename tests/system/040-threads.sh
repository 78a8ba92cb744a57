# promise: a thread is judged by its own ids, and a process whose first thread has ended is still known by its program
. tests/system/lib.sh
setup
echo x >"$T/guarded/file"
cp "$BUILD/tests/opener" "$T/opener"
cp "$BUILD/tests/opener" "$T/stranger"
file=$T/guarded/file
expect_ok "$T/opener" leaderless "$file"
expect_ok "$T/opener" thread 1000 "$file"
guard <<END
[watch w]
path = $T/guarded
default = deny
log = all
[rule w/opener]
action = allow
exe = $T/opener
uid = 0
END
expect_ok "$T/opener" thread 0 "$file"
record_has '.verdict == "allow" and .subject.uid == 0 and .subject.tid != .subject.pid'
expect_eperm "$T/opener" thread 1000 "$file"
record_has '.verdict == "deny" and .subject.uid == 1000 and .subject.tid != .subject.pid and
    .subject.exe == "'"$T"'/opener"'
expect_ok "$T/opener" leaderless "$file"
expect_eperm "$T/stranger" leaderless "$file"
record_has '.verdict == "deny" and .subject.exe == "'"$T"'/stranger" and .subject.flags == [] and
    (.subject.ancestors | length) > 0'
# The other way round: root's process does not lend its uid to a thread that gave it away, nor a user's thread gets it.
expect_eperm as_user 1000 "$T/opener" thread 1000 "$file"
