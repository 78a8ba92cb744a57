# shellcheck shell=bash
# How the tests of deaths (11x-*.sh, 12x-*.sh, tests/soak) kill, wait and count. Source it after lib.sh; then
#
#     prepare_deaths [SETTINGS]     a policy with one allowed and one forbidden program and file; the daemon is started
#     begin_load                    four openers of each
#     die ROLE HOW [ROLE HOW]       one dies, or two at once; returns when all is as it was before
#     die_keeper HOW [ROLE HOW]     KILL, SEGV, SYS or CALL, and another with it; with a load of its own
#     die_last                      then the judge too
#     end_load                      ends the openers; what they met is judged by check_load
#     account                       after stop: each record's number is accounted for
#
# ROLE is keeper, judge, spare, scout or herald, and clerk where CLERK=1 was set before prepare_deaths: then the forbidden
# program is looked up by its content. HOW is KILL, SEGV, SYS (the signals), CALL (a real violation of the system
# call filter) or STOP: stopped, and going on again before anybody can take it for dead, unless it is the judge.
HAMMER=$BUILD/tests/hammer
SAYS_BUSY=true
declare -A stay=() # of `die`: who is only stopped
BOUND_US=${BOUND_US:-$((300000 * SLOWNESS))} # promise 2: timeout (200 ms) and 100 ms

# prepare_deaths [LINES OF [fileward]]
prepare_deaths() {
    not_sanitized "their fork takes longer than the time bounds, and they keep descriptors of their own"
    mkdir -p "$T/load"
    echo allowed >"$T/guarded/allowed"
    echo secret >"$T/guarded/forbidden"
    cp "$HAMMER" "$T/good"
    cp "$HAMMER" "$T/bad"
    policy <<POLICY
$(settings "mode = ${MODE:-enforce}" "$@")

[watch w]
path = $T/guarded
default = deny

[rule w/good]
action = allow
op = read list
exe = $T/good
$(if [ "${CLERK:-}" ]; then
        printf '[rule w/by-content]\naction = allow\nexe_sha256 = %064d\n' 0
    fi)
POLICY
    start
    SAYS_BUSY=$(status_json | jq .features.deny_errno)
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

# look: who is there, and what each holds, in $SIGHT (tests/system/household.c says how).
look() {
    SIGHT=$("$BUILD/tests/household" "$DAEMON" "$T/run/gate")
}

# seen ROLE: its pid at the last look.
seen() {
    [[ $SIGHT =~ (^|$'\n')"pid $1 "([0-9]+) ]] && echo "${BASH_REMATCH[2]}"
}

# seat_pid ROLE: its pid now; "judge" is the one that reads, "spare" the one that waits.
seat_pid() {
    look
    seen "$1"
}

# descriptors PID: what a process has open, sorted, without numbers that differ each time.
descriptors() {
    local fd
    for fd in "/proc/$1/fd/"*; do
        readlink "$fd"
    done | sed 's/\[[0-9]*\]//' | sort
}

# One of each, and no zombie. A clerk is there if the policy needs one.
household_is_complete() {
    local all="^(pid clerk [0-9]+"$'\n)?' role
    for role in herald judge keeper scout spare; do
        all+="pid $role [0-9]+"$'\n'
    done
    look
    [[ $SIGHT =~ $all$'\n' ]]
}

# And below, the same descriptors, groups and marks as at first.
as_before() {
    household_is_complete && [ "${SIGHT#*$'\n\n'}" = "$HELD" ]
}

# The household is complete, has no zombie, and everybody holds what he held when this was first asked.
expect_as_before() {
    if [ ! "$HELD" ]; then
        until_true 15 household_is_complete || fail "$1: the household is not complete: $SIGHT"
        HELD=${SIGHT#*$'\n\n'}
    fi
    until_true 15 as_before || fail "$1: after 15 s not as before (<):
$(diff <(echo "$HELD") <(echo "$SIGHT"))"
}

# --- openers ----------------------------------------------------------------------------------------------------------

# So many openers of each kind. This shell goes before them, and behind fileward, in line for the processors: else each
# look would take ten times as long, and the test with it.
begin_load() {
    local i
    [ "$(ps -o ni= -p $$)" -lt 0 ] || renice -n -5 -p $$ >/dev/null
    OPENERS=()
    rm -f "$T/load/"*
    for ((i = 1; i <= ${1:-4}; i++)); do
        nice -n 5 "$T/good" "$T/guarded/allowed" >"$T/load/good.$i" &
        OPENERS+=($!)
        nice -n 5 "$T/bad" "$T/guarded/forbidden" >"$T/load/bad.$i" &
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

# said KEY JSON: a number that the hammer said, in $SAID. (jq would take longer than many a death.)
said() {
    [[ $2 =~ \"$1\":([0-9]+) ]] || fail "no $1 in what an opener said: '$2'"
    SAID=${BASH_REMATCH[1]}
}

# tally: what the openers met, in MET[WHO.KEY]: sums over the openers `good` or `bad`; worst_us: the largest.
tally() {
    local file who line key
    declare -gA MET=()
    for who in good bad; do
        for key in ok eperm ebusy other worst_us; do
            MET[$who.$key]=0
        done
        for file in "$T/load/$who".*; do
            [ -s "$file" ] || continue # it was ended before it had begun
            read -r line <"$file"
            for key in ok eperm ebusy other; do
                said $key "$line"
                MET[$who.$key]=$((${MET[$who.$key]} + SAID))
            done
            said worst_us "$line"
            [ "$SAID" -le "${MET[$who.worst_us]}" ] || MET[$who.worst_us]=$SAID
        done
    done
}

# load WHO KEY: one of them.
load() {
    tally
    echo "${MET[$1.$2]}"
}

# What must hold whatever died: nothing forbidden succeeded, nothing waited too long, nothing failed in other ways, and in
# audit mode nothing was refused.
check_load() {
    local who
    tally
    for who in good bad; do
        assert_equal "${MET[$who.other]}" 0 "$1: opens of '$who' that failed in other ways: $(cat "$T/load/$who".*)"
        [ "${MET[$who.worst_us]}" -le "$BOUND_US" ] ||
            fail "$1: '$who' waited longer than $BOUND_US us: $(cat "$T/load/$who".*)"
    done
    [ "${MET[good.ok]}" -gt 0 ] || fail "$1: no allowed open succeeded"
    if [ "${MODE:-enforce}" = audit ]; then
        assert_equal "${MET[good.eperm]} ${MET[good.ebusy]}" "0 0" "$1: refusals to 'good' in audit mode"
        assert_equal "${MET[bad.eperm]} ${MET[bad.ebusy]}" "0 0" "$1: refusals to 'bad' in audit mode"
    else
        assert_equal "${MET[bad.ok]}" 0 "$1: forbidden opens that succeeded"
        # Before Linux 6.14 those who are released without a decision cannot be told from the refused.
        [ "$SAYS_BUSY" != true ] || assert_equal "${MET[good.eperm]}" 0 "$1: allowed opens refused by the policy"
    fi
}

tell_load() {
    tally
    printf '%-24s forbidden: %s opened, %s EPERM, %s EBUSY, worst %s us; allowed: %s opened, %s EBUSY, worst %s us\n' "$1" \
        "${MET[bad.ok]}" "${MET[bad.eperm]}" "${MET[bad.ebusy]}" "${MET[bad.worst_us]}" \
        "${MET[good.ok]}" "${MET[good.ebusy]}" "${MET[good.worst_us]}"
}

# verdicts_are_given WHEN [OPENS]: a handful of opens of each kind are answered as the policy says, and in time.
verdicts_are_given() {
    local n=${2:-100} said late
    said=$(limited "$T/good" -n "$n" "$T/guarded/allowed") || fail "$1: allowed opens hang"
    are_met "$1" ok "$n" "$said"
    said=$(limited "$T/bad" -n "$n" "$T/guarded/forbidden") || fail "$1: forbidden opens hang"
    if [ "${MODE:-enforce}" = audit ]; then
        are_met "$1" ok "$n" "$said"
    elif [ "${stay[clerk]:-}" ]; then # of `die`: a new judge cannot ask him now
        said ebusy "$said"
        late=$SAID
        are_met "$1" eperm $((n - late)) "$said"
    else
        are_met "$1" eperm "$n" "$said"
    fi
}

# A clerk that came, or goes on, answers.
clerk_answers() {
    [ "${MODE:-enforce}" = audit ] || [[ $(limited "$T/bad" -n 1 "$T/guarded/forbidden") == *'"eperm":1'* ]]
}

are_met() {
    said "$2" "$4"
    assert_equal "$SAID" "$3" "$1: opens that met '$2': $4"
    said worst_us "$4"
    [ "$SAID" -le "$BOUND_US" ] || fail "$1: waited too long: $4"
}

# --- deaths -----------------------------------------------------------------------------------------------------------

# Since the daemon started; set to 0 by `forget_deaths`. Of a judge and a spare that die at once the second may be
# replaced as a spare or, having become the judge, be rescued from: MAY_RESCUE more.
forget_deaths() {
    declare -gA DIED=([judge]=0 [scout]=0 [herald]=0 [clerk]=0)
    RESCUES=0 MAY_RESCUE=0
    HELD=
}
forget_deaths

# The metrics tell these deaths, and so many rescues.
deaths_are_told() {
    local metrics role told
    metrics=$(http /metrics 2>/dev/null)
    for role in "${!DIED[@]}"; do
        [[ $metrics == *$'\n'"fileward_restarts_total{role=\"$role\"} ${DIED[$role]}"$'\n'* ]] || return 1
    done
    [[ $metrics =~ $'\n'"fileward_rescues_total "([0-9]+) ]] || return 1
    told=${BASH_REMATCH[1]}
    [ "$told" -ge "$RESCUES" ] || return 1
    [ "$told" -le $((RESCUES + MAY_RESCUE)) ] || return 1
    RESCUES=$told MAY_RESCUE=0
}

# strike PID HOW [PID HOW]: at once. Fails if one was gone before, or did not violate the filter as it should.
strike() {
    local pid violations=() status=0
    while [ $# -gt 0 ]; do
        if [ "$2" = CALL ]; then
            "$BUILD/tests/violate" "$1" &
            violations+=($!)
        else
            kill "-$2" "$1" 2>/dev/null || status=1
        fi
        shift 2
    done
    for pid in "${violations[@]}"; do
        wait "$pid" || status=1
    done
    return $status
}

# die ROLE HOW [ROLE HOW]
die() {
    local what=$* role strokes=()
    local -A how=() pid=() stay=() # stay: who is only stopped
    # Where all is slow nobody goes on before he can be taken for dead.
    [ "$SLOWNESS" = 1 ] || [ "$2" != STOP ] || [ "$1" = judge ] || return 0
    expect_as_before "before $what"
    while [ $# -gt 0 ]; do
        how[$1]=$2
        pid[$1]=$(seen "$1")
        strokes+=("${pid[$1]}" "$2")
        shift 2
    done
    strike "${strokes[@]}" || fail "$what: gone, or it may do what it should not"
    if [ "${how[judge]:-}" ] && [ "${how[spare]:-}" ]; then
        MAY_RESCUE=$((MAY_RESCUE + 1))
    fi
    # A judge that is stopped is found out; and a spare that is stopped when it has to be the judge.
    for role in "${!how[@]}"; do
        if [ "${how[$role]}" != STOP ] || [ "$role" = judge ] || { [ "$role" = spare ] && [ "${how[judge]:-}" ]; }; then
            count_death "$role"
        else
            stay[$role]=${pid[$role]}
            unset "pid[$role]"
        fi
    done
    if [ ${#stay[@]} -gt 0 ]; then
        [ "${stay[keeper]:-}" ] || expect_back "$what" "${pid[@]}"
        # Nobody need notice that they are stopped.
        # Few, where each may wait for the clerk: after 10 s he would be taken for dead.
        verdicts_are_given "while stopped: $what" ${stay[clerk]:+20}
        kill -CONT "${stay[@]}"
    fi
    expect_back "$what" "${pid[@]}"
    for role in "${!stay[@]}"; do
        assert_equal "$(seen "$role")" "${stay[$role]}" "$what: pid of the $role after it was stopped and went on"
    done
    [ ! "${CLERK:-}" ] || until_true 5 clerk_answers || fail "$what: nobody is judged by his program's content any more"
    until_true 15 deaths_are_told || fail "$what: restarts and rescues: $(http /metrics | grep -E 'restarts_t|rescues_t')
expected: $(declare -p DIED RESCUES MAY_RESCUE)
$(jq -c 'select(.kind == "rescue" or .kind == "timeout") | [.time, .role, .kind, .count, .reason]' "$LOG")"
    verdicts_are_given "after $what" 20
}

# Those who died are gone, and others are in their place.
expect_back() {
    local what=$1
    shift
    until_true 5 are_gone "$@" || fail "$what: still there after 5 s: $(ps -o pid,stat,comm -p "$(join , "$@")")"
    expect_as_before "$what"
}

count_death() {
    case $1 in
    judge) RESCUES=$((RESCUES + 1)) DIED[judge]=$((DIED[judge] + 1)) ;;
    spare) DIED[judge]=$((DIED[judge] + 1)) ;;
    *) DIED[$1]=$((DIED[$1] + 1)) ;;
    esac
}

# die_keeper HOW [ROLE HOW]: the judge goes on, with scout and herald but the one that died beside the keeper. $DAEMON is
# none; die_last ends the rest.
die_keeper() {
    local what="keeper $*" spare
    expect_as_before "before $what"
    spare=$(seen spare)
    LAST_JUDGE=$(seen judge)
    declare -gA LAST_OTHERS=([scout]=$(seen scout) [herald]=$(seen herald))
    [ ! "${CLERK:-}" ] || LAST_OTHERS[clerk]=$(seen clerk)
    # Whom the judge does not know when the clerk dies here waits for it at each open.
    [ ! "${CLERK:-}" ] || limited "$T/bad" -n 20 "$T/guarded/forbidden" >/dev/null
    begin_load
    # A spare may see that its keeper is gone, and leave, before it is struck itself.
    if [ $# = 1 ]; then
        strike "$DAEMON" "$1"
    else
        strike "$DAEMON" "$1" "$(seen "$2")" "$3" || [ "$2" = spare ]
    fi || fail "$what: gone, or it may do what it should not"
    until_true 5 is_gone "$DAEMON" || fail "$what: it is still there after 5 s"
    wait "$DAEMON" 2>/dev/null
    DAEMON=
    verdicts_are_given "$what"
    if [ "${3:-}" = STOP ]; then
        kill -CONT "${LAST_OTHERS[$2]:-$spare}" 2>/dev/null
    elif [ "${2:-spare}" != spare ]; then
        until_true 5 is_gone "${LAST_OTHERS[$2]}" || fail "$what: it is still there after 5 s"
        unset "LAST_OTHERS[$2]"
    fi
    until_true 2 is_gone "$spare" || fail "$what: the spare judge, whom nobody can call any more, stays"
    verdicts_are_given "$what"
    end_load
    check_load "$what"
    are_alive "$LAST_JUDGE" "${LAST_OTHERS[@]}" || fail "$what: judge, scout, herald and clerk should stay"
}

# die_last: the judge of a dead keeper dies too. Nobody is left, and the openers are let through, at once. The others may take
# longer to be gone: whoever closes a group last waits until the kernel has counted its marks out, for seconds under load.
die_last() {
    begin_load
    kill -KILL "$LAST_JUDGE"
    until_true 1 are_gone "$LAST_JUDGE" "${LAST_OTHERS[@]}"
    limited "$T/bad" -n 1 "$T/guarded/forbidden" >/dev/null || fail "an open hangs when keeper and judge are gone"
    end_load
    tally
    if [ "${MET[good.worst_us]}" -gt "$BOUND_US" ] || [ "${MET[bad.worst_us]}" -gt "$BOUND_US" ]; then
        fail "keeper and judge are gone, and openers waited: $(cat "$T/load/"*)"
    fi
    until_true 5 are_gone "$LAST_JUDGE" "${LAST_OTHERS[@]}" || fail "keeper and judge are gone, and after 5 s not" \
        "all others: $(ps -o pid,stat,wchan,comm -p "$(join , "$LAST_JUDGE" "${LAST_OTHERS[@]}")")"
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
