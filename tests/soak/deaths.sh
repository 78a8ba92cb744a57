# promise: each role dies, crashes or is stopped DEATHS times (200) at random moments under load: nothing opens, nothing hangs
# timeout: 3600
. tests/system/lib.sh
. tests/system/deaths.sh
setup
DEATHS=${DEATHS:-200}
AUDIT_DEATHS=${AUDIT_DEATHS:-$((DEATHS / 5))} # of each role, in audit mode beside
HOWS=(KILL STOP SEGV SYS)

# note ROLE HOW: what the load of this death met.
note() {
    local verdict="{mode: \"$MODE\", role: \"$1\", how: \"$2\","
    verdict+=" forbidden_opened: $(load bad ok), forbidden_refused: $(load bad eperm), forbidden_ebusy: $(load bad ebusy),"
    verdict+=" allowed_opened: $(load good ok), allowed_ebusy: $(load good ebusy),"
    verdict+=" worst_us: ([$(load bad worst_us), $(load good worst_us)] | max)}"
    jq -nc "$verdict" >>"$T/figures"
}

# One daemon from its start to its end: each role dies once, in any order, and the keeper last.
life() {
    local role how
    : >"$LOG"
    forget_deaths
    start
    for role in $(shuf -e judge spare scout herald); do
        how=${HOWS[RANDOM % 4]}
        begin_load
        sleep "0.$((RANDOM % 2))$((RANDOM % 10))$((RANDOM % 10))" # any moment
        die "$role" "$how"
        end_load
        check_load "$role $how"
        note "$role" "$how"
    done
    how=${HOWS[RANDOM % 4]}
    if [ "$how" = STOP ]; then
        begin_load
        die keeper STOP
        end_load
        check_load "keeper STOP"
        note keeper STOP
        stop
    else
        die_keeper "$how"
        note keeper "$how"
        die_last
        record_has '.kind == "stop" and .role == "herald"'
    fi
    account
}

figures() {
    echo "figures: mode role how: times, worst wait of any open; forbidden opened/EPERM/EBUSY; allowed opened/EBUSY"
    jq -sr 'group_by(.mode, .role, .how)[] | "figures: \(.[0].mode) \(.[0].role) \(.[0].how): \(length) times, worst " +
        "\(map(.worst_us) | max) us; forbidden \(map(.forbidden_opened) | add)/\(map(.forbidden_refused) | add)/" +
        "\(map(.forbidden_ebusy) | add); allowed \(map(.allowed_opened) | add)/\(map(.allowed_ebusy) | add)"' "$T/figures"
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
