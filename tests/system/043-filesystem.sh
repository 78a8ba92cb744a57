# promise: with coverage = filesystem whatever lies in a watch is asked about from its first instant, however it is reached, and what lies outside is asked about once
. tests/system/lib.sh
setup
need mkfs.btrfs btrfs jq
chmod 755 "$T"
N=200
cp "$BUILD/tests/sprinter" "$BUILD/tests/opener" "$T"
cat=$(readlink -f "$(command -v cat)")

outside() { metric 'fileward_outside_total{watch="w"}'; }
refused() {
    expect_status 1 "$T/opener" "$@"
    [[ $OUTPUT == *"not permitted"* ]] || fail "not refused: $*: $OUTPUT"
}

# On file system $D; the daemon itself and all else is on another.
write_policy() {
    policy <<END
[watch w]
path = $D/in
exclude = $D/in/open
default = deny
coverage = $1
[rule w/admin]
action = allow
uid = 4711
exe = $cat
END
}

# until_old FILE...: unchanged for so long that it is nothing that just came.
until_old() {
    local file
    for file; do
        until_true 6 eval "[ \$((\$(date +%s) - \$(stat -c %Z '$file'))) -gt 2 ]"
    done
}

prepare() {
    mkdir -p "$D/in/open" "$D/in/deep" "$D/out" "$D/mnt"
    for ((i = 0; i < N; i++)); do : >"$D/in/$i"; done
    : >"$D/in/1000"
    echo secret | tee "$D/in/gone" >"$D/in/secret"
    echo plain >"$D/out/plain"
    echo plain >"$D/out/linked"
    ln "$D/out/linked" "$D/out/linked2"
    echo open >"$D/in/open/file"
    ln "$D/in/secret" "$D/out/link"
}

fresh_things_are_asked_about() {
    expect_ok "$T/sprinter" dirs $N "$D/in" "$D/out"
    assert_equal "$OUTPUT" "opened 0 failed 0" "new directories"
    expect_ok "$T/sprinter" stripped $N "$D/in" "$D/out"
    assert_equal "$OUTPUT" "opened 0 failed 0" "stripped marks"
    expect_ok "$T/sprinter" held 1 "$D/in" "$D/out"
    assert_equal "$OUTPUT" "opened 0 failed 0" "stripped marks, later"
    # What is gone is forgotten.
    until_true 10 eval "[ \$(metric 'fileward_marks{watch=\"w\"}') -le $((2 * N + 20)) ]" || fail "marks: $(metric 'fileward_marks{watch="w"}')"
    expect_ok "$T/sprinter" moved $N "$D/in" "$D/out"
    assert_equal "$OUTPUT" "opened 0 failed 0" "moved in and linked out"
}

# A file that nobody has marked is known by the place that it has, not by the name by which it is reached.
names_prove_nothing() {
    local dir=$D/in/new scout
    scout=$(role_pid scout)
    kill -STOP "$scout" # before it has seen anything of this
    mkdir "$dir" "$dir/below"
    cp "$D/out/plain" "$D/out/newcomer" && mv "$D/out/newcomer" "$dir/below/f"
    refused read "$dir/below/f"
    mount --bind "$dir" "$D/mnt"
    refused read "$D/mnt/below/f"
    umount "$D/mnt"
    refused reopen "$dir/below/f"
    expect_eperm unshare -m sh -c "mount --bind '$dir' '$D/out' && cat '$D/out/below/f'"
    expect_eperm unshare -m sh -c "mount -t tmpfs t '$T/guarded' && mkdir '$T/guarded/m' && mount --bind '$dir' '$T/guarded/m' && cat '$T/guarded/m/below/f'"
    kill -CONT "$scout"
    # Outside, by names that lie inside or nowhere.
    expect_ok unshare -m sh -c "mount --bind '$D/out' '$D/in' && cat '$D/in/plain'"
    expect_ok unshare -m sh -c "mount -t tmpfs t '$T/guarded' && mkdir '$T/guarded/m' && mount --bind '$D/out' '$T/guarded/m' && cat '$T/guarded/m/plain'"
    # Without a name.
    expect_ok sh -c "exec 3<'$D/out/linked2' && rm '$D/out/linked2' && cat /proc/self/fd/3 && ln '$D/out/linked' '$D/out/linked2'"
    expect_ok "$T/sprinter" unlinked 1 "$D/out" "$D/out"
    assert_equal "$OUTPUT" "opened 1 failed 0" "unlinked outside"
    expect_ok "$T/sprinter" unlinked 1 "$dir" "$D/out"
    assert_equal "$OUTPUT" "opened 0 failed 0" "unlinked inside"
}

outside_is_asked_about_once() {
    local before
    until_old "$D/out/plain" "$D/out/linked"
    expect_ok cat "$D/out/plain"
    before=$(outside)
    for _ in 1 2 3; do expect_ok cat "$D/out/plain"; done
    assert_equal "$(outside)" "$before" "questions about what is known to be outside"
    expect_ok cat "$D/out/linked"
    expect_ok cat "$D/out/linked"
    assert_equal "$(outside)" $((before + 2)) "questions about what has two names"
    echo fresh >"$D/out/fresh"
    before=$(outside)
    expect_ok cat "$D/out/fresh"
    expect_ok cat "$D/out/fresh"
    assert_equal "$(outside)" $((before + 2)) "questions about what is young"
    # Directories too; and what is in them is asked about all the same.
    expect_ok ls "$D/out"
    expect_ok cat "$D/in/open/file"
    refused read "$D/out/link"
    expect_status 0 as_user 4711 cat "$D/out/plain"
}

# It may have got another name of which the scout does not know yet: then it is judged by the rules.
what_has_not_been_seen_is_not_trusted() {
    local scout
    echo plain >"$D/out/two"
    ln "$D/out/two" "$D/out/two2"
    until_old "$D/out/two"
    expect_ok cat "$D/out/two2"
    scout=$(role_pid scout)
    kill -STOP "$scout"
    ln "$D/out/two" "$D/in/two"
    until_old "$D/out/two"
    expect_eperm cat "$D/out/two2"
    expect_eperm cat "$D/out/two"
    kill -CONT "$scout"
}

what_moves_in_is_guarded() {
    mv "$D/out/plain" "$D/in/moved"
    reload_to filesystem
    expect_eperm cat "$D/in/moved"
    mv "$D/in/moved" "$D/out/moved"
    expect_eperm cat "$D/out/moved"
    echo plain >"$D/out/plain"
}

# What is not marked, because it is another's in a user's directory, is asked about all the same.
what_is_not_marked_is_asked_about() {
    local his=$D/in/his
    mkdir "$his" "$D/out/tree" "$D/out/tree/deep"
    chown 1001 "$his"
    echo roots | tee "$D/out/tree/deep/file" >"$D/out/roots"
    until_old "$D/out/roots" "$D/out/tree/deep/file"
    expect_ok cat "$D/out/roots" "$D/out/tree/deep/file"
    expect_ok cat "$D/out/roots" "$D/out/tree/deep/file"
    mv "$D/out/roots" "$D/out/tree" "$his"
    until_true 5 eval "! limited cat '$his/roots'" >/dev/null 2>&1 || fail "another's file moved in is open"
    until_true 5 eval "! limited cat '$his/tree/deep/file'" >/dev/null 2>&1 || fail "another's file below a directory moved in is open"
}

reload_to() {
    local seen
    seen=$(grep -c 'fileward: reloaded' "$T/stderr")
    write_policy "$1"
    kill -HUP "$DAEMON"
    until_true 10 eval "[ \$(grep -c 'fileward: reloaded' '$T/stderr') -gt $seen ]" || fail "not reloaded"
}

coverage_follows_the_policy() {
    local before
    reload_to inode
    before=$(outside)
    expect_ok cat "$D/out/plain"
    expect_ok cat "$D/out/linked"
    assert_equal "$(outside)" "$before" "questions about the outside with coverage = inode"
    refused read "$D/in/secret"
    reload_to filesystem
    expect_ok cat "$D/out/linked"
    assert_equal "$(outside)" $((before + 1)) "questions about the outside with coverage = filesystem"
    assert_equal "$(status_json | jq -r '.watches[0].coverage')" filesystem
}

# As long as the scout of a new policy has not looked: one that leaves late keeps it waiting.
nor_is_what_comes_in_a_reload() {
    local scout judge seen
    echo plain >"$D/out/three"
    ln "$D/out/three" "$D/out/three2"
    until_old "$D/out/three"
    expect_ok cat "$D/out/three2"
    seen=$(grep -c 'fileward: reloaded' "$T/stderr") scout=$(role_pid scout) judge=$(role_pid judge)
    kill -STOP "$scout"
    kill -HUP "$DAEMON"
    until_true 5 is_gone "$judge" || fail "the judge before does not leave"
    ln "$D/out/three" "$D/in/three"
    expect_eperm cat "$D/out/three2"
    expect_ok cat "$D/out/linked"
    is_gone "$scout" && fail "the scout before has left too early for this test"
    until_true 10 eval "[ \$(grep -c 'fileward: reloaded' '$T/stderr') -gt $seen ]" || fail "not reloaded"
    expect_eperm cat "$D/out/three"
}

survives_a_takeover() {
    local before
    kill -KILL "$DAEMON"
    until_true 5 is_gone "$DAEMON"
    expect_ok "$T/sprinter" dirs 5 "$D/in/deep" "$D/out"
    assert_equal "$OUTPUT" "opened 0 failed 0" "new directories, without a keeper"
    expect_ok cat "$D/out/linked"
    start
    expect_ok "$T/sprinter" unlinked 5 "$D/in/deep" "$D/out"
    assert_equal "$OUTPUT" "opened 0 failed 0" "unlinked inside, after a takeover"
    refused read "$D/in/secret"
    before=$(outside)
    expect_ok cat "$D/out/linked"
    assert_equal "$(outside)" $((before + 1)) "questions about the outside after a takeover"
}

snapshots_are_guarded() {
    btrfs -q subvolume snapshot "$D" "$D/snap" || fail "no snapshot"
    refused read "$D/snap/in/secret"
    refused read "$D/snap/in/open/../secret"
    expect_ok cat "$D/snap/out/plain"
    expect_ok cat "$D/snap/in/open/file"
    # What is no more in the watch, and what was made in the snapshot.
    rm -f "$D/in/gone"
    refused read "$D/snap/in/gone"
    cp "$D/out/plain" "$D/snap/out/made" && mv "$D/snap/out/made" "$D/snap/in/made"
    refused read "$D/snap/in/made"
}

# Where the kernel knows inodes again and cannot open them by that, none is taken for gone because of it.
what_cannot_be_reached_lives() {
    local scout
    D=$T/overlay
    mkdir "$D" "$T/lower" "$T/upper" "$T/work"
    mount -t overlay -o "lowerdir=$T/lower,upperdir=$T/upper,workdir=$T/work" overlay "$D" || skip "no overlays here"
    mkdir "$D/in" "$D/out"
    echo secret | tee "$D/in/secret" >"$D/in/held"
    write_policy filesystem
    start
    refused read "$D/in/secret"
    mv "$D/in/secret" "$D/out/secret"
    refused read "$D/out/secret"
    scout=$(role_pid scout)
    kill -KILL "$scout"
    metric_becomes fileward_rescans_total 1
    refused read "$D/out/secret"
    echo x >"$D/out/last" && mv "$D/out/last" "$D/in/last"
    until_true 5 eval "[ \$(metric 'fileward_marks{watch=\"w\"}') = 4 ]" || fail "marks: $(metric 'fileward_marks{watch="w"}')"
    stop
    umount "$D" || fail "the overlay is still held"
    : >"$LOG"
}

what_cannot_be_reached_lives
for fs in tmpfs btrfs; do
    D=$T/$fs
    mkdir "$D"
    if [ $fs = tmpfs ]; then
        mount -t tmpfs -o mode=0755 t "$D" || fail "cannot mount"
    else
        { truncate -s 200M "$T/image" && mkfs.btrfs -q "$T/image" >/dev/null 2>&1 && mount -o loop "$T/image" "$D"; } || skip "no btrfs here"
    fi
    prepare
    write_policy filesystem
    start
    if [ $fs = btrfs ]; then
        snapshots_are_guarded
    fi
    fresh_things_are_asked_about
    names_prove_nothing
    outside_is_asked_about_once
    what_has_not_been_seen_is_not_trusted
    what_moves_in_is_guarded
    what_is_not_marked_is_asked_about
    coverage_follows_the_policy
    nor_is_what_comes_in_a_reload
    survives_a_takeover
    stop
    umount "$D" || fail "$fs is still held"
    : >"$LOG"
done
