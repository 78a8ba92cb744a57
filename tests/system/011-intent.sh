# promise: who may read may not write, in whatever way the file is opened, and the file stays as it was
. tests/system/lib.sh
setup
opener=$BUILD/tests/opener
mkdir "$T/guarded/dir"
cp "$opener" "$T/reader"
cp "$opener" "$T/writer"
cp "$opener" "$T/stranger"
file=$T/guarded/file
fresh() { echo 0123456789 >"$T/fresh" && cp "$T/fresh" "$file"; }
fresh
# Each way works while nobody guards (and none does something else than it says).
for how in read write rdwr append trunc rdtrunc openat2-read openat2-write uring-read uring-write reopen handle; do
    expect_ok "$opener" $how "$file"
done
expect_ok "$opener" create "$T/guarded/made"
rm "$T/guarded/made"
fresh

guard <<END
[watch w]
path = $T/guarded
default = deny
log = all
[rule w/reader]
action = allow
op = read
exe = $T/reader
[rule w/writer]
action = allow
op = write
exe = $T/writer
[rule w/lister]
action = allow
op = list
exe = $T/reader
END

for how in read reopen; do
    expect_ok "$T/reader" $how "$file"
    expect_eperm "$T/writer" $how "$file"
done
for how in write rdwr append trunc rdtrunc openat2-write uring-write; do
    expect_eperm "$T/reader" $how "$file"
    expect_eperm "$T/stranger" $how "$file"
    record_has '.subject.exe == "'"$T"'/reader" and .op == "write" and .decision == "deny" and .verdict == "deny"'
done
expect_eperm "$T/reader" create "$T/guarded/new"
record_has '.op == "write" and .object.path == "'"$T"'/guarded/new" and .verdict == "deny"'
assert_equal "$(cat "$T/fresh")" 0123456789
# What does not show its flags in its registers proves nothing: such an open counts as a write.
for how in openat2-read uring-read handle; do
    expect_eperm "$T/reader" $how "$file"
    expect_ok "$T/writer" $how "$file"
done
assert_equal "$(decided w w/default write deny deny)" $((2 * 7 + 1 + 3)) "refused writes"
assert_equal "$(decided w w/reader read allow allow)" 2 "reads"

expect_ok "$T/reader" list "$T/guarded/dir"
expect_eperm "$T/writer" list "$T/guarded/dir"
record_has '.op == "list" and .rule == "w/lister" and .decision == "allow"'
record_has '.op == "list" and .rule == "w/default" and .decision == "deny" and .object.path == "'"$T"'/guarded/dir"'

for how in write rdwr append; do
    expect_ok "$T/writer" $how "$file"
done
stop
cmp "$file" "$T/fresh" || fail "a refused open changed the file"
[ ! -s "$T/guarded/new" ] || fail "a refused creation left content"
start
expect_ok "$T/writer" trunc "$file"
[ ! -s "$file" ] || fail "an allowed truncation did nothing"
