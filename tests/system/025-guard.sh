# promise: key guard: open+read asks again at each read, so that a descriptor handed to another program is of no use
. tests/system/lib.sh
setup
mkdir "$T/guarded/open" "$T/guarded/read"
for dir in open read; do
    echo secret >"$T/guarded/$dir/file"
    cp /bin/true "$T/guarded/$dir/program"
    echo 'echo ran' >"$T/guarded/$dir/script"
done
cp /bin/bash "$T/opener"
cat=$(readlink -f "$(command -v cat)")

guard <<END
[watch open]
path = $T/guarded/open
default = deny
[watch read]
path = $T/guarded/read
default = deny
guard = open+read
log = all
[rule open/opener]
action = allow
exe = $T/opener
op = read list
[rule read/opener]
action = allow
exe = $T/opener
uid = 0
op = read list
[rule read/exec]
action = allow
uid = 1000
op = exec
END

expect_ok "$T/opener" -c "read line <'$T/guarded/open/file'; echo \$line; cat <'$T/guarded/open/file'"
assert_equal "$OUTPUT" "secret
secret" "with guard = open"
expect_ok "$T/opener" -c "read line <'$T/guarded/read/file'; echo \$line"
assert_equal "$OUTPUT" secret
expect_eperm "$T/opener" -c "exec cat <'$T/guarded/read/file'"
record_has '.watch == "read" and .op == "read" and .verdict == "deny" and .subject.exe == "'"$cat"'" and
    .object.path == "'"$T"'/guarded/read/file"'
# Nor for the same program as another user.
expect_eperm "$T/opener" -c "exec setpriv --reuid 1000 --clear-groups cat <'$T/guarded/read/file'"
record_has '.watch == "read" and .op == "read" and .verdict == "deny" and .subject.uid == 1000'
# Who may execute and not read executes: that the kernel reads the program is part of it.
expect_ok as_user 1000 "$T/guarded/read/program"
expect_eperm as_user 1000 cat "$T/guarded/read/program"
expect_eperm "$T/guarded/read/program"
