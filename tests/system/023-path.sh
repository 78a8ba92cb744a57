# promise: keys path, exclude: directory, file, glob, ** and every user's ~; exclude counts by place, not by present name
. tests/system/lib.sh
setup
tree() {
    rm -rf "$T/guarded"
    mkdir -p "$T/guarded/dir/sub/deep" "$T/guarded/files" "$T/guarded/globs/one/x" "$T/guarded/globs/two/y" "$T/free"
    local file
    for file in dir/a dir/sub/b dir/sub/deep/c dir/sub/known files/one files/two globs/a.key globs/a.pub globs/one/b.key \
        globs/one/x/c.key globs/two/y/d.pub; do
        echo "$file" >"$T/guarded/$file"
    done
}
refused() {
    local file
    for file; do
        expect_eperm cat "$T/guarded/$file"
        record_has '.object.path == "'"$T/guarded/$file"'" and .verdict == "deny"'
    done
}
free() {
    local file
    for file; do
        expect_ok cat "$T/guarded/$file"
    done
}

tree
guard <<END
[watch w]
path = $T/guarded/dir $T/guarded/files/one
path = $T/guarded/globs/*.key
default = deny
END
refused dir/a dir/sub/b dir/sub/deep/c files/one globs/a.key
free files/two globs/a.pub globs/one/b.key globs/two/y/d.pub
expect_eperm ls "$T/guarded/dir/sub/deep"
expect_ok ls "$T/guarded/files"
expect_ok ls "$T/guarded"
# What appears where a directory or a name is guarded is guarded; its neighbours are not.
expect_eperm "$BUILD/tests/opener" create "$T/guarded/dir/sub/new"
echo x >"$T/free/one" && mv "$T/free/one" "$T/guarded/files/one"
refused files/one
expect_ok touch "$T/guarded/files/three"
expect_eperm "$BUILD/tests/opener" create "$T/guarded/globs/new.key"
expect_ok touch "$T/guarded/globs/new.pub"

tree
guard <<END
[watch w]
path = $T/guarded/globs/**/[a-c].key $T/guarded/d?r/s*
default = deny
END
refused globs/a.key globs/one/b.key globs/one/x/c.key dir/sub/b dir/sub/deep/c
free globs/a.pub globs/two/y/d.pub dir/a

tree
mkdir "$T/guarded/dir/out"
echo x >"$T/guarded/dir/out/file"
ln "$T/guarded/dir/a" "$T/free/link"
guard <<END
[watch w]
path = $T/guarded/dir
exclude = $T/guarded/dir/sub/known $T/guarded/dir/*.txt
exclude = $T/guarded/dir/out
default = deny
END
refused dir/a dir/sub/b
free dir/sub/known dir/out/file
# Creating, reading and writing under an excluded name is free.
expect_ok sh -c "echo new >'$T/guarded/dir/new.txt' && cat '$T/guarded/dir/new.txt'"
# A guarded file that gets an excluded name stays guarded, and where it moves.
mv "$T/guarded/dir/a" "$T/guarded/dir/a.txt"
expect_eperm cat "$T/guarded/dir/a.txt"
record_has '.object.path == "'"$T"'/guarded/dir/a" and .verdict == "deny"'
mv "$T/guarded/dir/sub/b" "$T/guarded/dir/sub/known"
expect_eperm cat "$T/guarded/dir/sub/known"
expect_eperm cat "$T/free/link"
# A free file that gets a guarded name is guarded.
mv "$T/guarded/dir/new.txt" "$T/guarded/dir/new"
expect_eperm cat "$T/guarded/dir/new"
assert_equal "$(metric 'fileward_unguarded{watch="w"}')" 0

# What lies beside a single file, or is left out, is so on whatever mount it is reached.
mkdir "$T/beside" "$T/beside/left" "$T/other"
for name in file neighbour; do
    echo "$name" >"$T/beside/$name"
    echo "$name" >"$T/beside/left/$name"
    : >"$T/other/$name"
done
chmod 755 "$T"
guard <<END
[watch single]
path = $T/beside/file
default = deny
[watch left]
path = $T/beside/left
exclude = $T/beside/left/neighbour
default = deny
END
for dir in "$T/beside" "$T/beside/left"; do
    for name in file neighbour; do
        mount --bind "$dir/$name" "$T/other/$name" || fail "cannot mount"
    done
    expect_ok cat "$T/other/neighbour"
    assert_equal "$OUTPUT" neighbour
    expect_eperm cat "$T/other/file"
    umount "$T/other/file" "$T/other/neighbour"
    expect_ok unshare -m sh -c "mount --bind '$dir' '$T/other' && cat '$T/other/neighbour'"
    expect_eperm unshare -m sh -c "mount --bind '$dir' '$T/other' && cat '$T/other/file'"
    # One that has just come, by another's name.
    echo new >"$dir/fresh"
done
expect_ok unshare -m sh -c "mount --bind '$T/beside' '$T/other' && cat '$T/other/fresh'"
expect_eperm unshare -m sh -c "mount --bind '$T/beside/left' '$T/other' && cat '$T/other/fresh'"
