# promise: with coverage = filesystem none of 2,000 opens gets through of new directories' files, of files moved in and linked out, of files whose marks were stripped, each opened at once; on tmpfs, ext4, xfs and btrfs
# timeout: 1800
. tests/system/lib.sh
setup
need mkfs.ext4 mkfs.xfs mkfs.btrfs
COMMAND_SECONDS=600
TIMES=${TIMES:-2000}
cp "$BUILD/tests/sprinter" "$T"
for fs in tmpfs ext4 xfs btrfs; do
    D=$T/$fs
    mkdir "$D"
    if [ $fs = tmpfs ]; then
        mount -t tmpfs -o mode=0755 t "$D" || fail "cannot mount"
    else
        truncate -s 320M "$T/image.$fs"
        { "mkfs.$fs" -q "$T/image.$fs" >/dev/null 2>&1 && mount -o loop "$T/image.$fs" "$D"; } || skip "no $fs here"
    fi
    mkdir "$D/in" "$D/out"
    for ((i = 0; i < TIMES; i++)); do : >"$D/in/$i"; done
    guard <<END
[watch w]
path = $D/in
default = deny
coverage = filesystem
END
    for how in dirs moved stripped; do
        expect_ok "$T/sprinter" $how "$TIMES" "$D/in" "$D/out"
        echo "$fs: $how: $OUTPUT"
        assert_equal "$OUTPUT" "opened 0 failed 0" "$how on $fs"
    done
    stop
    umount "$D" || fail "$fs is still held"
done
