# promise: guard = open+write asks again before a file is read, written or truncated, through whatever descriptor and by name; where that cannot be it says so
. tests/system/lib.sh
setup
need mkfs.ext4 mkfs.xfs mkfs.btrfs jq
chmod 755 "$T"
cp "$BUILD/tests/toucher" "$BUILD/tests/opener" "$T"
touch=$T/toucher
sh=$(readlink -f "$(command -v sh)") cat=$(readlink -f "$(command -v cat)")

# Only the shell may write; the shell and the toucher may read.
write_policy() {
    policy <<END
[watch w]
path = $D/in
default = deny
guard = $1
[rule w/writer]
action = allow
exe = $sh
[rule w/reader]
action = allow
op = read
exe = $touch $cat
END
}

# The shell opens it, and hands it on to whom it starts.
with() { sh -c "exec 3$1'$D/in/file' && exec '$touch' $2"; }

reset() { sh -c "echo content >'$D/in/file'"; }

content() { OUTPUT=$(limited cat "$D/in/file") && assert_equal "$OUTPUT" content "$1"; }

reload_to() {
    local seen
    seen=$(grep -c 'fileward: reloaded' "$T/stderr")
    write_policy "$1"
    kill -HUP "$DAEMON"
    until_true 10 eval "[ \$(grep -c 'fileward: reloaded' '$T/stderr') -gt $seen ]" || fail "not reloaded"
}

for fs in ext4 xfs btrfs; do
    D=$T/$fs
    mkdir "$D"
    truncate -s 320M "$T/image.$fs"
    { "mkfs.$fs" -q "$T/image.$fs" >/dev/null 2>&1 && mount -o loop "$T/image.$fs" "$D"; } || skip "no $fs here"
    mkdir "$D/in"
    reset
    write_policy open
    start
    [ "$(status_json | jq .features.deny_errno)" = true ] || skip "this kernel has no pre-content events"
    # What is possible without: the positive control of each.
    for how in write pwrite append ftruncate fallocate copy mmap-write uring-write; do
        expect_ok with '<>' $how
        reset
    done
    expect_ok "$touch" truncate "$D/in/file"
    reset
    assert_equal "$(status_json | jq .watches[0].unwritten)" 0
    sh -c "exec 3<>'$D/in/file'; touch '$T/held'; until [ -e '$T/go' ]; do sleep 0.02; done; exec '$touch' ftruncate" >"$T/said" 2>&1 &
    holder=$!
    until_true 5 test -e "$T/held"

    reload_to open+write
    assert_equal "$(status_json | jq .watches[0].unwritten)" 0 "files whose writing cannot be asked about on $fs"
    for how in write pwrite append ftruncate fallocate copy mmap-write uring-write; do
        expect_eperm with '<>' $how
        content "after $how on $fs"
    done
    expect_eperm "$touch" truncate "$D/in/file"
    content "after truncate on $fs"
    # Through a descriptor from before the marks too.
    touch "$T/go"
    wait "$holder"
    grep -q 'not permitted' "$T/said" || fail "ftruncate through an old descriptor on $fs: $(cat "$T/said")"
    content "after ftruncate through an old descriptor on $fs"
    rm "$T/go" "$T/held"
    # Who may read reads, who may write writes.
    for how in read pread mmap; do
        expect_ok with '<' $how
    done
    expect_ok sh -c "echo more >>'$D/in/file' && : >'$D/in/file'"
    reset
    # Reads are asked about as well: of whom neither rule names.
    expect_eperm sh -c "exec 3<'$D/in/file' && exec dd bs=1 count=1 <&3"
    record_has '.op == "write" and .verdict == "deny" and (.subject.exe | endswith("/toucher"))'
    record_has '.op == "read" and .verdict == "deny" and (.subject.exe | endswith("/dd"))'
    reload_to open
    expect_ok with '<>' write
    stop
    : >"$LOG"
    umount "$D" || fail "$fs is still held"
    rm "$T/image.$fs"
done

# On a tmpfs the kernel cannot ask; opens are guarded all the same, and everybody is told.
D=$T/guarded
mkdir "$D/in"
reset
write_policy open+write
expect_ok "$FILEWARD" check -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"guard = open+write"*"cannot ask"* ]] || fail "check does not say that tmpfs cannot: $OUTPUT"
start
assert_equal "$(status_json | jq .watches[0].unwritten)" 1 "files whose writing cannot be asked about on tmpfs"
assert_equal "$(metric 'fileward_unwritten{watch="w"}')" 1
expect_ok "$FILEWARD" status -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"writing of 1 file"* ]] || fail "status does not say it: $OUTPUT"
expect_eperm "$T/opener" write "$D/in/file"
expect_ok with '<>' write
