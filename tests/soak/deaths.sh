# promise: each role dies, crashes or is stopped DEATHS times (200) at random moments under load, alone and beside another: nothing opens, nothing hangs
# timeout: 3600
. tests/system/lib.sh
. tests/system/deaths.sh
setup
DEATHS=${DEATHS:-200}
AUDIT_DEATHS=${AUDIT_DEATHS:-$((DEATHS / 5))} # of each role, in audit mode beside
PAIRS_A_LIFE=${PAIRS_A_LIFE:-5} # of 14, any: so that all of the soak stays below an hour
HOWS=(KILL STOP SEGV SYS CALL)
CLERK=1
# Not keeper and judge: SECURITY.md says what then.
PAIRS=(judge:spare judge:scout judge:herald spare:scout spare:herald scout:herald keeper:spare keeper:scout keeper:herald
    judge:clerk spare:clerk scout:clerk herald:clerk keeper:clerk)
LIVES=0

any_how() {
    echo "${HOWS[RANDOM % ${#HOWS[@]}]}"
}

# note WHAT: what the load of this death met.
note() {
    tally
    echo "$MODE $1 ${MET[bad.ok]} ${MET[bad.eperm]} ${MET[bad.ebusy]} ${MET[good.ok]} ${MET[good.ebusy]}" \
        "${MET[bad.worst_us]} ${MET[good.worst_us]}" >>"$T/figures"
}

# under_load WHAT DEATH...: one or two die at any moment.
under_load() {
    local what=$1
    shift
    begin_load
    sleep "0.$((RANDOM % 2))$((RANDOM % 10))$((RANDOM % 10))"
    die "$@"
    end_load
    check_load "$*"
    note "$what"
}

# A pair dies; a keeper in it is only stopped.
pair_dies() {
    local one=${1%:*} other=${1#*:} how
    how=$(any_how)
    [ "$one" != keeper ] || how=STOP
    under_load "$1 any" "$one" "$how" "$other" "$(any_how)"
}

# The keeper's death, alone or beside another, ends a life.
keeper_dies() {
    local how what other=()
    how=$(any_how)
    what="keeper $how"
    if [ $((LIVES % 4)) = 0 ]; then
        while [ "$how" = STOP ]; do how=$(any_how); done
        other=("$(shuf -n 1 -e spare scout herald clerk)" "$(any_how)")
        what="keeper:${other[0]} any"
    fi
    if [ "$how" = STOP ]; then
        under_load "$what" keeper STOP
        stop
    else
        die_keeper "$how" "${other[@]}"
        note "$what"
        die_last
        [ ! "${LAST_OTHERS[herald]:-}" ] || record_has '.kind == "stop" and .role == "herald"'
    fi
}

# One daemon from its start to its end: each role dies once, in any order, some pairs do, and the keeper last.
life() {
    local role how pairs
    : >"$LOG"
    forget_deaths
    mapfile -t pairs < <(shuf -n "$PAIRS_A_LIFE" -e "${PAIRS[@]}")
    start
    for role in $(shuf -e judge spare scout herald clerk "${pairs[@]}"); do
        case $role in
        *:*) pair_dies "$role" ;;
        *)
            how=$(any_how)
            under_load "$role $how" "$role" "$how"
            ;;
        esac
    done
    LIVES=$((LIVES + 1))
    keeper_dies
    account
}

figures() {
    echo "figures: mode, who died, how: times, worst wait of any open; forbidden opened/EPERM/EBUSY; allowed opened/EBUSY"
    sort "$T/figures" | awk '
        { k = $1 " " $2 " " $3; n[k]++; bad[k] += $4; eperm[k] += $5; ebusy[k] += $6; good[k] += $7; late[k] += $8
          w = $9 > $10 ? $9 : $10; if (w > worst[k]) worst[k] = w }
        END { for (k in n) printf "figures: %s: %d times, worst %d us; forbidden %d/%d/%d; allowed %d/%d\n",
            k, n[k], worst[k], bad[k], eperm[k], ebusy[k], good[k], late[k] | "sort" }'
}

for MODE in enforce audit; do
    prepare_deaths
    stop
    lives=$DEATHS
    [ $MODE = enforce ] || lives=$AUDIT_DEATHS
    for ((i = 0; i < lives; i++)); do
        life
    done
done
figures
