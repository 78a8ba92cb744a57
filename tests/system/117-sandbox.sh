# promise: each process has the privileges that its role needs and no other: capabilities, user, filter, descriptors
. tests/system/lib.sh
. tests/system/deaths.sh
setup
prepare_deaths

# field PID NAME: a line of /proc/PID/status.
field() {
    sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" | tr '\t' ' ' | sed 's/ *$//'
}

# mask BIT...: as status prints a set of capabilities.
mask() {
    local bit sum=0
    for bit; do
        sum=$((sum | 1 << bit))
    done
    printf '%016x\n' $sum
}

# linux/capability.h
DAC_READ_SEARCH=2 KILL=5 SETGID=6 SETUID=7 SETPCAP=8 SYS_PTRACE=19 SYS_ADMIN=21 LEASE=28 CHECKPOINT_RESTORE=40
declare -A CAPS=(
    [keeper]=$(mask $SYS_ADMIN $SYS_PTRACE $LEASE $DAC_READ_SEARCH $SETUID $SETGID $SETPCAP $KILL $CHECKPOINT_RESTORE)
    [judge]=$(mask $SYS_PTRACE $DAC_READ_SEARCH $LEASE)
    [spare]=$(mask $SYS_PTRACE $DAC_READ_SEARCH $LEASE)
    [scout]=$(mask $DAC_READ_SEARCH)
    [clerk]=$(mask $SYS_PTRACE $DAC_READ_SEARCH $CHECKPOINT_RESTORE)
    [herald]=$(mask)
)

# confined ROLE PID
confined() {
    local role=$1 pid=$2 user comm set
    user=$FILEWARD_UID
    [ "$role" = keeper ] && user=0
    comm=$role
    [ "$role" = spare ] && comm=judge
    assert_equal "$(field "$pid" Name)" "fileward-$comm" "name of the $role"
    assert_equal "$(field "$pid" Seccomp)" 2 "$role: Seccomp"
    assert_equal "$(field "$pid" NoNewPrivs)" 1 "$role: NoNewPrivs"
    for set in CapPrm CapEff CapBnd; do
        assert_equal "$(field "$pid" $set)" "${CAPS[$role]}" "$role: $set"
    done
    assert_equal "$(field "$pid" CapInh) $(field "$pid" CapAmb)" "$(mask) $(mask)" "$role: CapInh and CapAmb"
    assert_equal "$(field "$pid" Uid)" "$user $user $user $user" "$role: Uid"
    if [ "$role" != keeper ]; then
        assert_equal "$(field "$pid" Gid)" "$user $user $user $user" "$role: Gid"
        assert_equal "$(field "$pid" Groups)" "" "$role: supplementary groups"
    fi
    assert_equal "$(field "$pid" Threads)" 1 "$role: threads"
    # What is not dumpable belongs to root under /proc, and its user may not look at it.
    assert_equal "$(stat -c %u "/proc/$pid/mem")" 0 "$role: owner of its memory"
    assert_equal "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$pid/limits")" "0 0" "$role: limit of core files"
    assert_equal "$(awk '/^Max open files/ { print $4, $5 }' "/proc/$pid/limits")" "4096 4096" "$role: limit of files"
    as_user "$FILEWARD_UID" cat "/proc/$pid/environ" >/dev/null 2>&1 && fail "$role: its own user can read its environment"
    as_user "$FILEWARD_UID" ls "/proc/$pid/fd" >/dev/null 2>&1 && fail "$role: its own user can see its descriptors"
    assert_equal "$(awk '$2 ~ /w.*x/' "/proc/$pid/maps")" "" "$role: memory that is writable and executable"
}
# rank PID: its nice value, and its session's where the kernel shares processors among sessions.
rank() {
    local session=none
    [ ! -e "/proc/$1/autogroup" ] || session=$(sed -n 's/.* nice //p' "/proc/$1/autogroup")
    echo "$(ps -o ni= -p "$1" | tr -d ' ') $session"
}
session=none last=none
if [ -e "/proc/$DAEMON/autogroup" ]; then
    last=0 session=-10
    # Without CAP_SYS_RESOURCE the limit cannot be raised, and all stay in this test's session.
    (ulimit -e 30) 2>/dev/null || session=$(rank $$) last=$(rank $$)
    session=${session#* } last=${last#* }
fi
for role in judge spare; do
    assert_equal "$(rank "$(seat_pid $role)")" "-10 $session" "$role: nice, and of its session"
done
for role in scout herald; do
    assert_equal "$(rank "$(seat_pid $role)")" "0 $last" "$role: nice, and of its session"
done
# A judge that was forked when root's privileges were gone too.
spare=$(seat_pid spare)
kill -KILL "$spare"
has_come() { local now && now=$(seat_pid spare) && [ "$now" ] && [ "$now" != "$spare" ]; }
until_true 5 has_come || fail "no other spare comes"
assert_equal "$(rank "$(seat_pid spare)")" "-10 $session" "a later spare: nice, and of its session"

for role in keeper judge spare scout herald; do
    confined $role "$(seat_pid $role)"
done

# kinds ROLE: what it has open, a line each; numbers are left out, so several of a kind are the same line.
kinds() {
    descriptors "$(seat_pid "$1")" | sed "s|^$T/|T/|; s/^socket:.*/socket/; s/^pipe:.*/pipe/; s|/proc/[0-9][0-9]*|/proc/PID|"
}

# has ROLE KIND N: so many of that kind.
has() {
    assert_equal "$(kinds "$1" | grep -cxF "$2")" "$3" "$1: open descriptors of $2"
}

# expect_kinds ROLE KIND...: these and no others, but for /dev/null.
expect_kinds() {
    local role=$1
    shift
    assert_equal "$(kinds "$role" | grep -vx /dev/null)" "$(printf '%s\n' "$@" | sort)" "what the $role has open"
}

# The judge reads every secret. It has one group a watch and no way out: its only socket leads to the keeper, its only file
# is the gate's lock; no log. Rings and register it keeps for the next keeper, should this one die.
ring='/memfd:fileward-ring (deleted)'
for role in judge spare; do
    expect_kinds $role socket pipe T/run/gate T/run/ledger / /proc/PID/fd /proc/PID/mountinfo /proc/loadavg 'anon_inode:[fanotify]' 'anon_inode:[eventpoll]' 'anon_inode:[signalfd]' \
        'anon_inode:[eventfd]' 'anon_inode:[eventfd]' 'anon_inode:[eventfd]' 'anon_inode:[eventfd]' "$ring" "$ring" "$ring" \
        '/memfd:fileward-register (deleted)'
done
# The scout has the group of each watch, and sixteen through which it is told of changes.
mapfile -t groups < <(yes 'anon_inode:[fanotify]' | head -n 17)
expect_kinds scout socket pipe /proc/PID/fd /proc/PID/mountinfo /proc/PID/mountinfo /proc/PID/mountinfo "${groups[@]}" \
    'anon_inode:[eventfd]' 'anon_inode:[eventfd]' 'anon_inode:[eventpoll]' 'anon_inode:[signalfd]'
# The herald talks to strangers. It has the log, and nothing that answers or marks.
has herald T/log/events.jsonl 1
has herald socket 3
has herald T/run/gate 0
has herald 'anon_inode:[fanotify]' 0
has herald 'anon_inode:[pidfd]' 0
assert_equal "$(kinds herald | grep '^T/')" "T/log
T/log/events.jsonl" "files that the herald has open"
has keeper 'anon_inode:[fanotify]' 1

# On the board the herald reads who is family, and does not write it.
# mapping_flags ROLE NAME: VmFlags of that mapping; "mw" means that it may be made writable again.
mapping_flags() {
    awk -v name="memfd:$2" 'index($0, name) { found = 1 } found && $1 == "VmFlags:" { print; exit }' "/proc/$(seat_pid "$1")/smaps"
}
flags=$(mapping_flags herald fileward-board)
[ "$flags" ] || fail "the herald does not map the board"
[[ " $flags " != *" wr "* ]] || fail "the herald can write the board: $flags"
[[ " $flags " != *" mw "* ]] || fail "the herald can make the board writable: $flags"
assert_equal "$(mapping_flags herald fileward-register)" "" "the register of names, to the herald"

# The clerk, where a rule needs one: a socket to the keeper and one to the judge, and nothing that answers, marks or tells.
guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/intact]
action = allow
code = intact
END
clerk=$(role_pid clerk)
confined clerk "$clerk"
assert_equal "$(descriptors "$clerk" | sed 's/^socket:.*/socket/; s|/proc/[0-9][0-9]*|/proc/PID|' | grep -vxE '/dev/null|/var/lib/dpkg/info')" \
    "$(printf '%s\n' socket socket /proc/PID/mountinfo 'anon_inode:[eventpoll]' 'anon_inode:[signalfd]' | sort)" "what the clerk has open"
assert_equal "$(grep -c 'memfd:fileward-\(board\|register\|ring\)' "/proc/$clerk/maps")" 0 "the family's memory that the clerk has"

# Throw-away processes wait in line as all others do. The one that reads the policy is met while it waits itself, since the
# policy's directory is guarded and the judge is stopped; the one that looks for open files while it has many to tell.
stop
mkdir "$T/guarded/many"
(
    for i in {1..500}; do
        : >"$T/guarded/many/$i"
        exec {fd}<"$T/guarded/many/$i"
    done
    : >"$T/held"
    exec sleep 1000
) &
until_true 10 test -e "$T/held" || fail "nobody holds them"
# is_met NAME: it is there, and past the moment in which it is still its parent's copy. It is held, to be looked at.
is_met() {
    local pid
    pid=$(pgrep --parent "$DAEMON" --exact "fileward-$1") && kill -STOP "$pid" 2>/dev/null || return
    MET_RANK=$(rank "$pid")
    kill -CONT "$pid" 2>/dev/null
    [[ $MET_RANK =~ ^[0-9]+\  ]]
}
guard "timeout = 5s" <<END
[watch w]
path = $T/guarded
default = deny
[watch conf]
path = $T/conf
default = allow
END
until_true 10 is_met looker || fail "nobody looks for open files, or with the keeper's rank: ${MET_RANK:-none}"
assert_equal "$MET_RANK" "10 $last" "looker: nice, and of its session"
judge=$(seat_pid judge)
kill -STOP "$judge"
kill -HUP "$DAEMON"
until_true 2 is_met reader || fail "nobody reads the policy, or with the keeper's rank: ${MET_RANK:-none}"
assert_equal "$MET_RANK" "0 $last" "reader: nice, and of its session"
kill -CONT "$judge"
