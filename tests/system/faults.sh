# shellcheck shell=bash
# System calls of the judge made to fail (123, 124). Source it after deaths.sh; then
#
#     prepare_faults       a policy whose rules make the judge use every call that it has; the daemon is started
#     begin_faults         openers of all kinds
#     fail_in_turn [one]   each call, with each error that it might give: now and then, then always, for the judge that serves
#     end_faults           ends the openers
#
# strace takes the judge's place between it and the kernel, and slows it: where nothing can be answered any more, and where
# strace alone makes it too slow, the keeper is to act. A judge that takes another's place is not traced.

# What the judge calls once it serves, and the errors to give it. Left out is what cannot fail so: the clock (the kernel is
# not called for it), memory (nothing is allocated), what only waits a little (sched_yield, clock_nanosleep), and what is
# called only where a kernel lacks something better, or for a process of fileward (fstatfs, fstat).
# shellcheck disable=SC2054 # the commas are meant
FAULTS=(
    read:EAGAIN,EINTR,EIO,EMFILE,ENOMEM
    write:EAGAIN,EINTR,EIO,ENOMEM
    close:EINTR,EIO
    epoll_wait:EINTR,EIO,ENOMEM
    openat:EINTR,EIO,EMFILE,ENOMEM
    statx:EINTR,EIO,ENOMEM
    readlinkat:EIO,ENOMEM
    ioctl:EINTR,EIO,ENOMEM
    pidfd_open:EMFILE,ENOMEM
    fcntl:EAGAIN,EINTR,EIO,ENOMEM
    poll:EINTR,ENOMEM
    lseek:EIO
)

prepare_faults() {
    need strace
    not_sanitized "they are too slow when traced"
    mkdir -p "$T/load" "$T/mnt"
    echo allowed >"$T/guarded/allowed"
    echo secret >"$T/guarded/forbidden"
    cp "$HAMMER" "$T/good"
    cp "$HAMMER" "$T/bad"
    policy "mode = ${MODE:-enforce}" <<POLICY
[watch w]
path    = $T/guarded
exclude = $T/guarded/left-out
default = deny

[rule w/nobody]
action   = allow
ancestor = /nonesuch
unit     = nonesuch.service
gid      = 77
loginuid = 77

[rule w/good]
action = allow
op     = read list
exe    = $T/good $T/lib/*
POLICY
    start
    # Nobody knows this one by its inode.
    cp /bin/true "$T/newcomer"
    mv "$T/newcomer" "$T/guarded/newcomer"
}

begin_faults() {
    OPENERS=()
    rm -f "$T/load/"*
    local who
    for who in good bad; do
        "$T/$who" "$T/guarded/allowed" >"$T/load/$who.1" &
        OPENERS+=($!)
        "$T/$who" -f "$T/guarded/newcomer" >"$T/load/$who.2" & # a new subject each time
        OPENERS+=($!)
    done
}

end_faults() {
    end_load
}

injected() {
    grep -cs INJECTED "$T/strace" || :
}

injected_or_gone() { # N PID
    [ "$(injected)" -ge "$1" ] || is_gone "$2"
}

# A mount makes the judge read the table of mounts again.
change_mounts() {
    mount -t tmpfs none "$T/mnt" && umount "$T/mnt"
    injected_or_gone "$@"
}

# begin_to_fail CALL ERROR WHEN: for the judge that serves, in $JUDGE.
begin_to_fail() {
    until_true 15 household_is_complete || fail "before $*: $(household)"
    JUDGE=$(seat_pid judge)
    : >"$T/strace"
    # The filter of the judge would end it for a call that does not exist, so strace makes another one that does nothing.
    # In the background SIGINT would be ignored, and by no other signal does it let go of the judge between two calls.
    env --default-signal=INT strace -qq -o "$T/strace" -p "$JUDGE" -e "trace=$1" \
        -e "inject=$1:error=$2:syscall=gettid:when=$3" >"$T/strace.said" 2>&1 &
    STRACE=$!
}

end_to_fail() {
    kill -INT "$STRACE" 2>/dev/null
    until_true 5 is_gone "$STRACE" || fail "$*: strace does not end"
    wait "$STRACE" 2>/dev/null
}

# fail_call CALL ERROR WHEN
fail_call() {
    local begin=${EPOCHREALTIME/./} happened=injected_or_gone enough=20
    [ "$1" != lseek ] || happened=change_mounts
    case $1 in poll | lseek) enough=5 ;; esac # when programs are looked up again, each second
    begin_to_fail "$@"
    until_true 10 $happened $enough "$JUDGE" || fail "$*: failed only $(injected) times in 10 s"
    if [ "$3" = 1+ ]; then
        # As long as the keeper takes to see it, whoever asks is answered somehow.
        all_return "while $* fails"
        case $1 in
        read | write | epoll_wait) until_true 5 is_gone "$JUDGE" || fail "$*: a judge that can do nothing stays" ;;
        esac
    fi
    COUNT[$1]=$((${COUNT[$1]:-0} + $(injected)))
    end_to_fail "$@"
    echo "$1 $2 $3: $(injected) failed in $(((${EPOCHREALTIME/./} - begin) / 1000)) ms, rescues $(metric fileward_rescues_total)"
    # What could not be looked up is looked up again after a second.
    until_true 5 all_succeed "after $*" || fail "after $*: an allowed program is refused: $SAID"
}

all_succeed() {
    all_return "$1"
    [ "$(jq .ok <<<"$SAID")" = 20 ]
}

# all_return WHEN: opens of an allowed program return in time, however they end.
all_return() {
    SAID=$(limited "$T/good" -n 20 "$T/guarded/allowed") || fail "$1: an open hangs"
    jq -e ".other == 0 and .worst_us <= $BOUND_US" <<<"$SAID" >/dev/null || fail "$1: $SAID"
}

# fail_in_turn [one]: with every error, or with one only.
fail_in_turn() {
    local fault error errors
    declare -gA COUNT=()
    for fault in "${FAULTS[@]}"; do
        errors=${fault#*:}
        [ "${1:-}" != one ] || errors=${errors##*,}
        for error in $(tr , ' ' <<<"$errors"); do
            fail_call "${fault%%:*}" "$error" 2+3
            fail_call "${fault%%:*}" "$error" 1+
        done
    done
    for fault in "${FAULTS[@]}"; do
        [ "${COUNT[${fault%%:*}]:-0}" -gt 0 ] || fail "${fault%%:*} never failed: the judge does not call it"
    done
}
