# promise: what is unmounted and mounted again, or another in its place, is guarded as before, with inode marks and with coverage = filesystem, though the table of mounts looks the same
. tests/system/lib.sh
setup
need mkfs.ext4 losetup jq
D=$T/guarded/mnt
mkdir "$D" "$T/out"
truncate -s 16M "$T/image"
mkfs.ext4 -q "$T/image" || fail "no file system in $T/image"
loop=$(losetup -f --show "$T/image") || skip "no loop devices here"
trap 'status=$?; umount -l "$D" 2>/dev/null; losetup -d "$loop"; (exit $status); finish' EXIT

mount_it() { # tmpfs | ext4
    if [ "$1" = tmpfs ]; then
        mount -t tmpfs -o mode=0755 fileward-test "$D"
    else
        mount "$loop" "$D"
    fi || fail "cannot mount a $1"
    mkdir -p "$D/in/deep" "$D/out"
    [ -e "$D/in/deep/file" ] || echo x >"$D/in/deep/file"
}
is_refused() {
    ! limited cat "$1" >/dev/null 2>&1
}
# By their own marks, through a name outside.
marked() {
    rm -f "$D/out/link"
    ln "$D/in/deep/$1" "$D/out/link" && is_refused "$D/out/link"
}
asked_from_the_first_instant() {
    local scout status
    scout=$(role_pid scout)
    kill -STOP "$scout"
    rm -rf "$D/out/tree"
    mkdir -p "$D/out/tree" && echo x >"$D/out/tree/file"
    rm -rf "$D/in/tree"
    mv "$D/out/tree" "$D/in/tree"
    is_refused "$D/in/tree/file"
    status=$?
    kill -CONT "$scout"
    return $status
}

for fs in tmpfs ext4; do
    for coverage in inode filesystem; do
        mount_it $fs
        guard <<END
[watch w]
path = $D/in
default = deny
coverage = $coverage
END
        assert marked file
        id=$(findmnt -no ID "$D")
        scout=$(role_pid scout)
        kill -STOP "$scout" # it sees the table when all is over
        umount "$D"
        mount_it $fs
        again=$(findmnt -no ID "$D")
        kill -CONT "$scout"
        echo "$fs, $coverage: mount $id, then $again"
        [ $coverage = filesystem ] || until_true 5 marked file || fail "$fs, $coverage: not marked after it was mounted again"
        [ $coverage = inode ] || until_true 5 asked_from_the_first_instant ||
            fail "$fs: not marked as a whole after it was mounted again"
        assert_equal "$(metric fileward_rescans_total)" 0 "rescans"
        [ $coverage = filesystem ] || {
            # What went with its file system is forgotten; a neighbour of what may come in its place is left.
            umount "$D"
            metric_becomes 'fileward_marks{watch="w"}' 1
            mount -t tmpfs fileward-test "$D"
        }
        [ $coverage$fs != filesystemext4 ] || {
            # What went while there was no scout is forgotten, also where marks of inodes do not tell.
            metric_becomes 'fileward_marks{watch="w"}' 5
            echo x >"$D/out/goes" && mv "$D/out/goes" "$D/in/goes"
            metric_becomes 'fileward_marks{watch="w"}' 6
            scout=$(role_pid scout)
            kill -STOP "$scout"
            rm "$D/in/goes"
            kill -KILL "$scout"
            metric_becomes 'fileward_marks{watch="w"}' 5
        }
        stop
        umount "$D" || fail "$fs is still held"
    done
done
