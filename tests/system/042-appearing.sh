# promise: what appears in a watch is guarded when it appears, by its own mark: files, trees, links, names of patterns, roots, homes, owners, mounts
. tests/system/lib.sh
setup
mkdir -p "$T/guarded/dir" "$T/out" "$T/homes/late" "$T/guarded/parent/root" "$T/guarded/deep/a" "$T/guarded/mnt/sub" "$T/below"
echo x >"$T/guarded/dir/old"
echo x >"$T/guarded/parent/root/first"
chown 1001 "$T/homes/late"
printf '%s\n' "root:x:0:0::/nonexistent:/bin/sh" "late:x:1001:1001::$T/homes/late:/bin/sh" \
    "later:x:1002:1002::$T/homes/later:/bin/sh" >"$T/passwd"
mount --bind "$T/passwd" /etc/passwd

# marked PATH: refused through a hard link elsewhere, where only its own mark can ask.
marked() {
    local link=${1%/*}
    link=$T/out/link.${link##*/}.${1##*/}
    rm -f "$link"
    ln "$1" "$link" && ! limited cat "$link" >/dev/null 2>&1
}
guarded() {
    local path
    for path; do
        until_true 5 marked "$path" || fail "has no mark: $path"
        expect_eperm cat "$path"
    done
}
# put TEXT PATH: made outside and moved in, since making it there is refused.
put() {
    echo "$1" >"$T/out/new" && mv "$T/out/new" "$2"
}

guard <<END
[watch w]
path = $T/guarded/dir $T/guarded/single $T/guarded/parent/root $T/guarded/globs.d/*.conf $T/guarded/deep/**/key
path = $T/guarded/later/a/b/c $T/guarded/mnt/sub
exclude = $T/guarded/dir/free
default = deny
[watch homes]
path = ~/.ssh ~/.netrc
default = deny
[rule homes/owner]
action = allow
uid = owner
END

# In a guarded directory: a file, a directory, a tree of any depth, a link to what is outside.
put x "$T/guarded/dir/file"
guarded "$T/guarded/dir/file"
mkdir "$T/guarded/dir/new"
until_true 5 sh -c "! ls '$T/guarded/dir/new' 2>&1" >/dev/null || fail "a new directory has no mark"
put x "$T/guarded/dir/new/file"
guarded "$T/guarded/dir/new/file"
mkdir -p "$T/out/tree/one/two/three"
echo x | tee "$T/out/tree/one/two/three/file" "$T/out/tree/one/two/file" >"$T/out/tree/file"
mv "$T/out/tree" "$T/guarded/dir/tree"
guarded "$T/guarded/dir/tree/one/two/three/file" "$T/guarded/dir/tree/one/two/file" "$T/guarded/dir/tree/file"
echo x >"$T/out/outside"
ln "$T/out/outside" "$T/guarded/dir/inside"
until_true 5 sh -c "! cat '$T/out/outside' 2>&1" >/dev/null || fail "what was linked in has no mark"
mkdir "$T/guarded/dir/free"
put free "$T/guarded/dir/free/file"
put x "$T/guarded/dir/after" # events come in order: what was before is done when this is
guarded "$T/guarded/dir/after"
expect_ok cat "$T/guarded/dir/free/file"

# A single file, and each that takes its name.
put one "$T/guarded/single"
guarded "$T/guarded/single"
ln "$T/guarded/single" "$T/out/first"
put two "$T/guarded/single"
guarded "$T/guarded/single"
expect_eperm cat "$T/out/first"

# What was moved away keeps its mark and its place; a root that comes again is guarded again.
mv "$T/guarded/parent/root" "$T/out/away"
expect_eperm cat "$T/out/away/first"
record_has '.object.path == "'"$T/guarded/parent/root/first"'"'
put x "$T/out/away/second"
guarded "$T/out/away/second"
record_has '.object.path == "'"$T/guarded/parent/root/second"'"'
mkdir "$T/out/root" && put x "$T/out/root/file" && mv "$T/out/root" "$T/guarded/parent/root"
guarded "$T/guarded/parent/root/file"
rm "$T/guarded/parent/root/file"
rmdir "$T/guarded/parent/root" "$T/guarded/parent"
mkdir -p "$T/guarded/parent/root"
until_true 5 sh -c "! ls '$T/guarded/parent/root' 2>&1" >/dev/null || fail "the root has no mark when it comes again"
put x "$T/guarded/parent/root/third"
guarded "$T/guarded/parent/root/third"

# Where a pattern may come to lead.
mkdir "$T/guarded/globs.d"
put x "$T/guarded/globs.d/a.conf"
put x "$T/guarded/globs.d/a.txt"
guarded "$T/guarded/globs.d/a.conf"
expect_ok cat "$T/guarded/globs.d/a.txt"
mkdir -p "$T/guarded/deep/a/b/c"
put x "$T/guarded/deep/a/b/c/key"
put x "$T/guarded/deep/a/b/c/other"
guarded "$T/guarded/deep/a/b/c/key"
expect_ok cat "$T/guarded/deep/a/b/c/other"
mv "$T/guarded/deep/a" "$T/guarded/deep/renamed"
put x "$T/guarded/deep/renamed/b/key"
guarded "$T/guarded/deep/renamed/b/key"
mkdir -p "$T/guarded/later/a"
mkdir -p "$T/out/b/c"
put x "$T/out/b/c/file"
mv "$T/out/b" "$T/guarded/later/a/b"
guarded "$T/guarded/later/a/b/c/file"

# Homes: a directory in one, one that appears, one that gets its owner later; what is another's is not taken in.
as_user 1001 mkdir "$T/homes/late/.ssh"
as_user 1001 sh -c "echo key >'$T/homes/late/.ssh/id'"
as_user 1001 sh -c "echo key >'$T/homes/late/.netrc'"
guarded "$T/homes/late/.ssh/id" "$T/homes/late/.netrc"
expect_ok as_user 1001 cat "$T/homes/late/.ssh/id"
mkdir "$T/homes/later" # as useradd does it
chown 1002 "$T/homes/later"
mkdir "$T/homes/later/.ssh"
record_has '.kind == "unguarded" and .path == "'"$T/homes/later/.ssh"'" and (.reason | test("another user"))'
put key "$T/homes/later/.ssh/id"
expect_ok cat "$T/homes/later/.ssh/id"
chown -R 1002 "$T/homes/later/.ssh"
guarded "$T/homes/later/.ssh/id"
as_user 1002 ln -s "$T/below" "$T/homes/later/.ssh/link"
as_user 1002 sh -c "echo key >'$T/homes/later/.ssh/after'"
guarded "$T/homes/later/.ssh/after"
expect_ok ls "$T/below" # no link was followed

# A mount over a root, and below one; and what is seen again when it goes.
mount -t tmpfs fileward-test "$T/guarded/mnt"
mkdir "$T/guarded/mnt/sub"
echo x >"$T/guarded/mnt/aside"
mv "$T/guarded/mnt/aside" "$T/guarded/mnt/sub/file"
until_true 5 sh -c "! cat '$T/guarded/mnt/sub/file' 2>&1" >/dev/null || fail "what is mounted over a root is not guarded"
mkdir "$T/guarded/dir/mnt"
mount -t tmpfs fileward-test "$T/below"
mkdir "$T/below/sub" && echo x >"$T/below/sub/file"
mount --bind "$T/below" "$T/guarded/dir/mnt"
until_true 5 sh -c "! cat '$T/below/sub/file' 2>&1" >/dev/null || fail "what is mounted below a root is not guarded"
# Nobody holds a file system that is to be unmounted; what was there is forgotten.
expect_ok umount "$T/guarded/mnt"
put x "$T/guarded/mnt/sub/again"
guarded "$T/guarded/mnt/sub/again"

assert_equal "$(metric fileward_rescans_total)" 0 "rescans"
assert_equal "$(metric 'fileward_restarts_total{role="scout"}')" 0 "restarts"
