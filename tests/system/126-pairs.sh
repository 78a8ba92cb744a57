# promise: two roles at once (not keeper and judge) killed, crashed, stopped: no forbidden open, no late answer, in audit no refusal
. tests/system/lib.sh
. tests/system/deaths.sh
setup
HOWS=(KILL SEGV STOP CALL SYS)
CLERK=1

# The ways change with each pair and are not the same for both.
n=0
next_hows() {
    n=$((n + 1))
    one=${HOWS[n % 5]} other=${HOWS[(n * 2 + 1) % 5]}
}

for MODE in enforce audit; do
    # One daemon for each few, so that nobody dies so often that the keeper waits before it replaces him.
    for pairs in "judge:spare scout:herald" "judge:scout spare:herald" "judge:herald spare:scout" \
        "keeper:spare keeper:scout keeper:herald" "judge:clerk spare:clerk" "scout:clerk herald:clerk keeper:clerk"; do
        forget_deaths
        rm -f "$LOG"
        if [ -e "$T/guarded/allowed" ]; then
            sed -i "s/^mode = .*/mode = $MODE/" "$T/conf/fileward.ini"
            start
        else
            prepare_deaths
        fi
        begin_load
        for pair in $pairs; do
            next_hows
            [ "${pair%:*}" != keeper ] || one=STOP
            die "${pair%:*}" "$one" "${pair#*:}" "$other"
        done
        end_load
        check_load "$MODE $pairs"
        tell_load "$MODE $pairs"
        stop
        account
    done
    # A keeper that dies beside another is not replaced, and nor is that one; the judge goes on.
    for role in spare scout herald clerk; do
        next_hows
        [ "$one" != STOP ] || one=KILL
        forget_deaths
        rm -f "$LOG"
        start
        die_keeper "$one" $role "$other"
        tell_load "$MODE keeper $one, $role $other"
        die_last
        account
    done
done
