# shellcheck shell=bash
# How the tests of deaths (11x-*.sh, tests/soak) kill, wait and count. Source it after lib.sh; then
#
#     prepare_deaths [SETTINGS]     a policy with one allowed and one forbidden program and file; the daemon is started
#     begin_load                    two openers of each
#     die ROLE HOW                  KILL, SEGV, SYS or STOP; returns when all is as it was before
#     die_keeper HOW                KILL, SEGV or SYS; with a load of its own
#     die_last                      then the judge too
#     end_load                      ends the openers; what they met is judged by check_load
#     account                       after stop: each record's number is accounted for
#
# ROLE is keeper, judge, spare, scout or herald.
HAMMER=$BUILD/tests/hammer
BOUND_US=${BOUND_US:-300000} # promise 2: timeout (200 ms) and 100 ms

# prepare_deaths [LINES OF [fileward]]
prepare_deaths() {
    not_sanitized "their fork takes longer than the time bounds, and they keep descriptors of their own"
    mkdir -p "$T/load"
    echo allowed >"$T/guarded/allowed"
    echo secret >"$T/guarded/forbidden"
    cp "$HAMMER" "$T/good"
    cp "$HAMMER" "$T/bad"
    policy <<POLICY
[fileward]
mode = ${MODE:-enforce}
listen = $LISTEN
socket = $SOCKET
log_file = $LOG
user = $FILEWARD_UID
$*

[watch w]
path = $T/guarded
default = deny

[rule w/good]
action = allow
op = read list
exe = $T/good
POLICY
    start
}

# make_files N: so many files to guard, in $FILES: once they are guarded, this shell may not list them.
make_files() {
    local i
    FILES=()
    mkdir "$T/guarded/many"
    for ((i = 0; i < $1; i++)); do
        FILES+=("$T/guarded/many/$i")
        : >"$T/guarded/many/$i"
    done
}

# --- who is there -----------------------------------------------------------------------------------------------------

# The judge that reads: it holds a lock on the gate's file.
serving_judge() {
    local device inode file
    read -r device inode <<<"$(stat -c '%d %i' "$T/run/gate")" || return 1
    printf -v file '%02x:%02x:%d' $((device >> 8 & 0xfff)) $((device & 0xff | device >> 12 & 0xfff00)) "$inode"
    awk -v file="$file" '$2 == "POSIX" && $6 == file && $7 == 1 { print $5; exit }' /proc/locks
}

# seat_pid ROLE: its pid; for "spare", the judge that waits.
seat_pid() {
    local serving
    case $1 in
    keeper) echo "$DAEMON" ;;
    judge) serving_judge ;;
    spare)
        serving=$(serving_judge)
        pgrep --parent "$DAEMON" --exact fileward-judge | grep -vx "${serving:-none}" | head -n 1
        ;;
    *) pgrep --parent "$DAEMON" --exact "fileward-$1" ;;
    esac
}

# The children of the keeper that live, by name.
household() {
    ps -o stat=,comm= --ppid "$DAEMON" | awk '$1 !~ /^[ZX]/ { print $2 }' | sort | xargs
}

zombies() {
    ps -o stat=,pid=,comm= --ppid "$DAEMON" | awk '/^Z/ { print; found = 1 } END { exit !found }'
}

# descriptors PID: what a process has open, sorted, without numbers that differ each time.
descriptors() {
    local fd
    for fd in "/proc/$1/fd/"*; do
        readlink "$fd"
    done | sed 's/\[[0-9]*\]//' | sort
}

household_is_complete() {
    [ "$(household)" = "fileward-herald fileward-judge fileward-judge fileward-scout" ] &&
        [ "$(serving_judge)" ] && [ "$(seat_pid spare)" ]
}

as_before() {
    household_is_complete && ! zombies >/dev/null && [ "$(descriptors "$DAEMON")" = "$KEEPER_DESCRIPTORS" ]
}

# The household is complete, has no zombie and the keeper holds what it held at first.
expect_as_before() {
    KEEPER_DESCRIPTORS=${KEEPER_DESCRIPTORS:-$(descriptors "$DAEMON")}
    until_true 15 as_before || fail "$1: after 15 s not as before: $(household); zombies: $(zombies)
$(diff <(echo "$KEEPER_DESCRIPTORS") <(descriptors "$DAEMON"))"
}

# --- openers ----------------------------------------------------------------------------------------------------------

begin_load() {
    local i
    OPENERS=()
    rm -f "$T/load/"*
    for i in 1 2; do
        "$T/good" "$T/guarded/allowed" >"$T/load/good.$i" &
        OPENERS+=($!)
        "$T/bad" "$T/guarded/forbidden" >"$T/load/bad.$i" &
        OPENERS+=($!)
    done
}

# end_load: they end by themselves when their open returns: one that hangs is seen here.
end_load() {
    local pid
    for pid in "${OPENERS[@]}"; do
        kill -TERM "$pid" 2>/dev/null
    done
    until_true 5 are_gone "${OPENERS[@]}" || fail "an opener hangs: $(ps -o pid,stat,wchan:30,args -p "$(join , "${OPENERS[@]}")")"
    wait "${OPENERS[@]}"
    OPENERS=()
}

join() {
    local IFS=$1
    shift
    echo "$*"
}

# load WHO KEY: the sum of a count over the openers `good` or `bad`; worst_us: the largest.
load() {
    local how=add
    [ "$2" = worst_us ] && how=max
    cat "$T/load/$1".* | jq -s "map(.$2) | $how"
}

# What must hold whatever died: nothing forbidden succeeded, nothing waited too long, nothing failed in other ways, and in
# audit mode nothing was refused.
check_load() {
    local who
    for who in good bad; do
        assert_equal "$(load "$who" other)" 0 "$1: opens of '$who' that failed in other ways: $(cat "$T/load/$who".*)"
        [ "$(load "$who" worst_us)" -le "$BOUND_US" ] ||
            fail "$1: '$who' waited longer than $BOUND_US us: $(cat "$T/load/$who".*)"
    done
    [ "$(load good ok)" -gt 0 ] || fail "$1: no allowed open succeeded"
    if [ "${MODE:-enforce}" = audit ]; then
        assert_equal "$(load good eperm) $(load good ebusy)" "0 0" "$1: refusals to 'good' in audit mode"
        assert_equal "$(load bad eperm) $(load bad ebusy)" "0 0" "$1: refusals to 'bad' in audit mode"
    else
        assert_equal "$(load bad ok)" 0 "$1: forbidden opens that succeeded"
        assert_equal "$(load good eperm)" 0 "$1: allowed opens refused by the policy"
    fi
}

tell_load() {
    printf '%-24s forbidden: %s opened, %s EPERM, %s EBUSY, worst %s us; allowed: %s opened, %s EBUSY, worst %s us\n' "$1" \
        "$(load bad ok)" "$(load bad eperm)" "$(load bad ebusy)" "$(load bad worst_us)" \
        "$(load good ok)" "$(load good ebusy)" "$(load good worst_us)"
}

# verdicts_are_given WHEN [OPENS]: a handful of opens of each kind are answered as the policy says, and in time.
verdicts_are_given() {
    local n=${2:-100} good bad
    good=$(limited "$T/good" -n "$n" "$T/guarded/allowed") || fail "$1: allowed opens hang"
    bad=$(limited "$T/bad" -n "$n" "$T/guarded/forbidden") || fail "$1: forbidden opens hang"
    assert_equal "$(jq .ok <<<"$good")" "$n" "$1: allowed opens that succeeded: $good"
    if [ "${MODE:-enforce}" = audit ]; then
        assert_equal "$(jq .ok <<<"$bad")" "$n" "$1: opens that succeeded in audit mode: $bad"
    else
        assert_equal "$(jq .eperm <<<"$bad")" "$n" "$1: forbidden opens refused: $bad"
    fi
    [ "$(jq -s 'map(.worst_us) | max' <<<"$good$bad")" -le "$BOUND_US" ] || fail "$1: waited too long: $good $bad"
}

# --- deaths -----------------------------------------------------------------------------------------------------------

restarts_are() {
    metric_is "fileward_restarts_total{role=\"$1\"}" "$2" && metric_is fileward_rescues_total "$3"
}

# expect_restarts ROLE N RESCUES: by the metrics, within 15 s (the herald may only just have come back).
expect_restarts() {
    until_true 15 restarts_are "$@" ||
        fail "restarts of $1: $(metric "fileward_restarts_total{role=\"$1\"}"), expected $2; rescues:" \
            "$(metric fileward_rescues_total), expected $3"
}

# Since the daemon started; set to 0 by `forget_deaths`.
forget_deaths() {
    declare -gA DIED=([judge]=0 [scout]=0 [herald]=0)
    RESCUES=0
    KEEPER_DESCRIPTORS=
}
forget_deaths

# die ROLE HOW
die() {
    local role=$1 how=$2 pid
    expect_as_before "before $role $how"
    pid=$(seat_pid "$role")
    [ "$pid" ] || fail "there is no $role"
    kill "-$how" "$pid"
    if [ "$how" = STOP ] && [ "$role" != judge ]; then
        # Nobody need notice; whoever serves goes on. When it goes on itself, it is the same process as before.
        verdicts_are_given "while the $role is stopped"
        kill -CONT "$pid"
        expect_as_before "$role $how"
        assert_equal "$(seat_pid "$role")" "$pid" "pid of the $role after it was stopped and went on"
    else
        until_true 5 is_gone "$pid" || fail "$role $how: it is still there after 5 s"
        expect_as_before "$role $how"
        count_death "$role"
    fi
    verdicts_are_given "after $role $how" 20
}

count_death() {
    local role=$1
    if [ "$role" = judge ]; then
        RESCUES=$((RESCUES + 1))
    elif [ "$role" = spare ]; then
        role=judge
    fi
    DIED[$role]=$((DIED[$role] + 1))
    expect_restarts "$role" "${DIED[$role]}" "$RESCUES"
}

# die_keeper HOW: KILL, SEGV or SYS. The judge goes on, with scout and herald. $DAEMON is none; die_last ends the rest.
die_keeper() {
    local how=$1 spare
    expect_as_before "before keeper $how"
    spare=$(seat_pid spare)
    LAST_JUDGE=$(seat_pid judge)
    LAST_OTHERS=("$(seat_pid scout)" "$(seat_pid herald)")
    begin_load
    kill "-$how" "$DAEMON"
    until_true 5 is_gone "$DAEMON" || fail "keeper $how: it is still there after 5 s"
    wait "$DAEMON" 2>/dev/null
    DAEMON=
    until_true 2 is_gone "$spare" || fail "keeper $how: the spare judge, whom nobody can call any more, stays"
    verdicts_are_given "without a keeper"
    end_load
    check_load "keeper $how"
    are_alive "$LAST_JUDGE" "${LAST_OTHERS[@]}" || fail "keeper $how: judge, scout and herald should stay"
}

# die_last: the judge of a dead keeper dies too. Nobody is left, and the openers are let through.
die_last() {
    begin_load
    kill -KILL "$LAST_JUDGE"
    until_true 1 are_gone "$LAST_JUDGE" "${LAST_OTHERS[@]}" || fail "keeper and judge are gone, and after a second not" \
        "all others: $(ps -o pid,stat,comm -p "$(join , "${LAST_OTHERS[@]}")")"
    limited "$T/bad" -n 1 "$T/guarded/forbidden" >/dev/null || fail "an open hangs when keeper and judge are gone"
    end_load
    [ "$(load good worst_us)" -le "$BOUND_US" ] || fail "keeper and judge are gone: $(cat "$T/load/good".*)"
    [ "$(load bad worst_us)" -le "$BOUND_US" ] || fail "keeper and judge are gone: $(cat "$T/load/bad".*)"
}

are_gone() {
    local pid
    for pid; do
        is_gone "$pid" || return 1
    done
}

are_alive() {
    local pid
    for pid; do
        ! is_gone "$pid" || return 1
    done
}

# --- records ----------------------------------------------------------------------------------------------------------

# account: every number from 1 to the last that a role used is a record, or lies in a gap record; every rescue that the
# metrics counted (RESCUES) is a record.
account() {
    local holes
    holes=$(jq -nr '
        reduce inputs as $r ({};
            if $r.kind == "gap" and $r.first then .[$r.role] += [range($r.first; $r.last + 1)]
            elif $r.seq then .[$r.role] += [$r.seq] else . end)
        | to_entries[] | .key as $role | (.value | max) as $last | ([range(1; $last + 1)] - .value)
        | select(length > 0) | "\($role): \(length) of \($last) missing: \(.[:5])"' "$LOG") ||
        fail "the log is not JSON lines: $(tail -n 3 "$LOG")"
    assert_equal "$holes" "" "record numbers that neither a record nor a gap accounts for"
    assert_equal "$(record_count '.kind == "rescue"')" "$RESCUES" "rescue records"
}
