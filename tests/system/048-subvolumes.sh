# promise: what appears in a watch is guarded on every file system and in every btrfs subvolume that is watched at once, homes too, and users' own subvolumes do not keep root's from it
# timeout: 300
. tests/system/lib.sh
setup
need mkfs.btrfs btrfs jq
[ "$(printf '%s\n' 6.8 "$(uname -r)" | sort -V | head -n 1)" = 6.8 ] || skip "before Linux 6.8 the kernel tells nothing of subvolumes"
chmod 755 "$T"
OWN=20 # subvolumes that a user makes
printf '%s\n' "root:x:0:0::/nonexistent:/bin/sh" "early:x:1001:1001::$T/home/early:/bin/sh" \
    "late:x:1002:1002::$T/home/late:/bin/sh" >"$T/passwd"
mount --bind "$T/passwd" /etc/passwd

subvolume() { # NAME: mounted at $T/NAME, as / and /home often are
    mkdir -p "$T/$1"
    mount -o "subvol=$1" "$loop" "$T/$1" || fail "cannot mount subvolume $1"
}
{ truncate -s 200M "$T/image" && mkfs.btrfs -q "$T/image" >/dev/null 2>&1 && loop=$(losetup -f --show "$T/image"); } || skip "no btrfs here"
trap 'status=$?; umount -l "$T/root" "$T/home" "$T/more" "$T/top" 2>/dev/null; losetup -d "$loop"; (exit $status); finish' EXIT
mkdir "$T/top"
mount "$loop" "$T/top" || skip "btrfs cannot be mounted here"
for name in root home more; do
    btrfs -q subvolume create "$T/top/$name" || fail "no subvolume $name"
    mkdir "$T/top/$name/in" "$T/top/$name/out"
done
subvolume root
subvolume home
mkdir -p "$T/tmp/in" "$T/tmp/out" # on a tmpfs
mkdir -p "$T/home/early/.ssh"
chown 1001 "$T/home/early" "$T/home/early/.ssh"

is_refused() {
    ! limited cat "$1" >/dev/null 2>&1
}
# marked FILE OUT: by its own mark, since it is refused through a name outside.
marked() {
    rm -f "$2/link"
    ln "$1" "$2/link" && is_refused "$2/link"
}
appears() { # TOP: a directory with a file
    mkdir "$1/in/new"
    until_true 5 eval "! ls '$1/in/new'" >/dev/null 2>&1 || fail "$1: a new directory has no mark"
    echo x >"$1/out/file"
    mv "$1/out/file" "$1/in/new/file"
    until_true 5 marked "$1/in/new/file" "$1/out" || fail "$1: what appeared in a new directory has no mark"
    mkdir -p "$1/out/tree/deep"
    echo x >"$1/out/tree/deep/file"
    mv "$1/out/tree" "$1/in/tree"
    until_true 5 marked "$1/in/tree/deep/file" "$1/out" || fail "$1: what moved in has no mark"
}
is_followed() {
    ! a_record_has '.kind == "unguarded" and (.reason | test("later is not seen"))'
}

for coverage in inode filesystem; do
    guard <<END
[watch w]
path = $T/root/in $T/home/in $T/tmp/in $T/more/in
default = deny
coverage = $coverage
[watch homes]
path = ~/.ssh
default = deny
coverage = $coverage
[rule homes/owner]
action = allow
uid = owner
END
    for top in "$T/root" "$T/home" "$T/tmp"; do
        appears "$top"
    done
    mkdir "$T/home/late"
    chown 1002 "$T/home/late"
    expect_ok as_user 1002 mkdir "$T/home/late/.ssh"
    expect_ok as_user 1002 sh -c "echo key >'$T/home/late/.ssh/id'"
    until_true 5 marked "$T/home/late/.ssh/id" "$T/home/out" || fail "a home that appeared is not guarded"
    assert is_followed

    # More of a user's own than there are groups to follow them: the last ones are not, and it is said.
    for ((i = 0; i < OWN; i++)); do
        expect_ok as_user 1001 btrfs -q subvolume create "$T/home/early/.ssh/own$i"
    done
    record_has '.kind == "unguarded" and (.reason | test("subvolume more than")) and (.path | test("early/.ssh/own"))'
    expect_ok as_user 1001 sh -c "echo key >'$T/home/early/.ssh/own0/id'"
    until_true 5 is_refused "$T/home/early/.ssh/own0/id" || fail "the first of them is not guarded"
    # Others have what they had: a file of root's in a subvolume that comes only now, and names outside.
    subvolume more
    until_true 5 eval "! ls '$T/more/in'" >/dev/null 2>&1 || fail "what was mounted has no mark"
    appears "$T/more"
    ! a_record_has '.kind == "unguarded" and (.reason | test("later is not seen")) and (.path | test("early/.ssh/own") | not)' ||
        fail "not followed, though it is root's: $(grep 'later is not seen' "$LOG" | grep -v early)"
    echo plain >"$T/home/out/plain"
    ln "$T/home/out/plain" "$T/home/out/second"
    until_true 5 eval "limited cat '$T/home/out/second'" >/dev/null 2>&1 ||
        fail "a file outside with two names is refused, though the scout sees all that comes into its subvolume"
    stop
    umount "$T/more" || fail "$T/more is held"
    btrfs -q subvolume delete "$T/home/early/.ssh/"own* >/dev/null || fail "cannot delete subvolumes"
    rm -rf "$T/home/late" "$T"/{root,home,tmp,top/more}/{in,out}/*
done
