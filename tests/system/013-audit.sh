# promise: audit refuses nothing, whatever the policy or a dead judge says; would-be refusals are recorded and counted
. tests/system/lib.sh
setup
opener=$BUILD/tests/opener
echo content >"$T/guarded/file"
cp /bin/true "$T/guarded/program"
mkdir "$T/guarded/dir"
sh=$(readlink -f "$(command -v sh)")

guard "mode = audit" "timeout = 400ms" "on_timeout = deny" <<END
[watch w]
path = $T/guarded
default = deny
guard = open+read
log = all
[rule w/shell]
action = deny
exe = $sh
[rule w/cat]
action = allow
exe = $(readlink -f "$(command -v cat)")
END

expect_ok cat "$T/guarded/file"
expect_ok head "$T/guarded/file"
for how in read write rdwr append openat2-write uring-write reopen; do
    expect_ok "$opener" $how "$T/guarded/file"
done
expect_ok "$opener" trunc "$T/guarded/file"
expect_ok "$opener" list "$T/guarded/dir"
expect_ok "$opener" create "$T/guarded/new"
expect_ok ls "$T/guarded"
expect_ok "$T/guarded/program"
expect_ok sh -c "read line <'$T/guarded/file'; echo x >'$T/guarded/file'"

record_has '.decision == "deny" and .verdict == "allow" and .mode == "audit" and .op == "read" and .rule == "w/default"'
record_has '.decision == "deny" and .verdict == "allow" and .op == "write" and .rule == "w/shell"'
record_has '.decision == "deny" and .verdict == "allow" and .op == "list"'
record_has '.decision == "deny" and .verdict == "allow" and .op == "exec"'
record_has '.decision == "allow" and .verdict == "allow" and .rule == "w/cat"'
assert_equal "$(record_count '.verdict == "deny"')" 0 "refusals"
assert_equal "$(http /metrics | grep -c '^fileward_decisions_total.*verdict="deny"')" 0 "series of refusals"
[ "$(decided w w/default read deny allow)" -ge 3 ] || fail "would-be refusals are not counted"
assert_equal "$(metric 'fileward_mode{watch="w",mode="audit"}')" 1

# A stopped judge changes nothing about it (021-timeout has more).
kill -STOP "$(role_pid judge)"
expect_ok head "$T/guarded/file"
expect_ok cat "$T/guarded/file"
assert_equal "$(record_count '.verdict == "deny"')" 0 "refusals"
