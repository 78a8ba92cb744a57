# promise: what appears in a watch is guarded soon after, by its own mark: files, trees, roots, homes, mounts; and what goes is forgotten
. tests/system/lib.sh
setup
mkdir -p "$T/guarded/dir" "$T/out" "$T/beside"
echo x >"$T/guarded/dir/old"

# marked PATH: refused through a hard link elsewhere, so by its own mark and not by its directory's.
marked() {
    rm -f "$T/out/link"
    ln "$1" "$T/out/link" && ! cat "$T/out/link" >/dev/null 2>&1
}
becomes_marked() {
    local path
    for path; do
        until_true 5 marked "$path" || fail "not marked: $path"
    done
}
marks() {
    metric "fileward_marks{watch=\"$1\"}"
}

guard <<END
[watch w]
path = $T/guarded/dir $T/guarded/single $T/guarded/root/sub $T/guarded/globs.d/*.conf $T/guarded/deep/**/key
default = deny
END
before=$(marks w)

echo x >"$T/out/a" && mv "$T/out/a" "$T/guarded/dir/a"
becomes_marked "$T/guarded/dir/a"
mkdir "$T/guarded/dir/new"
echo x >"$T/out/b" && mv "$T/out/b" "$T/guarded/dir/new/b"
becomes_marked "$T/guarded/dir/new/b"
expect_eperm ls "$T/guarded/dir/new"
mkdir -p "$T/out/tree/one/two/three"
echo x >"$T/out/tree/one/two/three/file"
echo x >"$T/out/tree/one/two/file"
mv "$T/out/tree" "$T/guarded/dir/tree"
becomes_marked "$T/guarded/dir/tree/one/two/three/file" "$T/guarded/dir/tree/one/two/file"
echo "ok"
