# promise: memory, descriptors and processor time of every role are the same after many decisions and many short-lived subjects; idle, they use 0.0 %, the keeper for its looks 0.5 % at most
# timeout: 300
. tests/system/lib.sh
. tests/system/deaths.sh
setup
DECISIONS=${DECISIONS:-100000}
SUBJECTS=${SUBJECTS:-2000}
ROUNDS=10
ROLES=(keeper judge spare scout herald)
COMMAND_SECONDS=120
# Records enough to fill the herald's windows and the ring: it all has been touched when it is warm.
make_files 4000
prepare_deaths

# work DECISIONS SUBJECTS: so many by four openers at once, so many by processes that ask once and end.
work() {
    local who opener openers=()
    for who in good good bad bad; do
        "$T/$who" -n $(($1 / 4)) "$T/guarded/$([ $who = good ] && echo allowed || echo forbidden)" >"$T/load/$who.${#openers[@]}" &
        openers+=($!)
    done
    for who in good bad; do
        "$T/$who" -f -n $(($2 / 2)) "$T/guarded/$([ $who = good ] && echo allowed || echo forbidden)" >"$T/load/$who.f" &
        openers+=($!)
    done
    for opener in "${openers[@]}"; do
        wait "$opener" || fail "an opener failed"
    done
    tally
    assert_equal "${MET[good.ok]} ${MET[bad.eperm]}" "$(($1 / 2 + $2 / 2)) $(($1 / 2 + $2 / 2))" \
        "allowed and refused opens: $(cat "$T/load/"*)"
    WORST_US=$((${MET[good.worst_us]} > ${MET[bad.worst_us]} ? ${MET[good.worst_us]} : ${MET[bad.worst_us]}))
    [ $WORST_US -le "$BOUND_US" ] || fail "an open took $WORST_US us"
}

# used ROLE: nanoseconds of processor time that it has had.
used() {
    local ns
    read -r ns _ <"/proc/${PID[$1]}/schedstat"
    echo "$ns"
}

# Descriptors by which the judge knows processes: how many it has changes with who came last.
OF_PROCESSES=('(' -lname '/proc/[0-9]*' -o -lname '*pidfd*' ')')

# use: for each role its own memory and all of its resident memory in KiB, and its descriptors, the judge's without those.
use() {
    local role but
    for role in "${ROLES[@]}"; do
        but=()
        [ "$role" != judge ] || but=('!' "${OF_PROCESSES[@]}")
        echo "$role $(awk '$1 == "RssAnon:" { own = $2 } $1 == "VmRSS:" { all = $2 } END { print own, all }' \
            "/proc/${PID[$role]}/status") $(find "/proc/${PID[$role]}/fd" -mindepth 1 "${but[@]}" | wc -l)"
    done
}

nothing_waits() {
    metric_is fileward_pending 0
}

settle() {
    until_true 5 nothing_waits || fail "questions wait: $(metric fileward_pending)"
    until_true 5 as_before || fail "not as before: $(diff <(echo "$HELD") <(echo "$SIGHT"))"
}

expect_as_before "at first"
declare -A PID IDLE
for role in "${ROLES[@]}"; do
    PID[$role]=$(seen "$role")
done

# Warm: the judge's table of subjects is full, so are the herald's windows, and its heap has been as large as it gets.
expect_ok "$T/bad" -n ${#FILES[@]} "${FILES[@]}"
work $((DECISIONS / ROUNDS)) 2500
expect_ok "$T/bad" -n ${#FILES[@]} "${FILES[@]}"
settle
use >"$T/before"
round() { # ends with the judge's processor time for a decision, in nanoseconds
    local began
    began=$(used judge)
    work $((DECISIONS / ROUNDS)) $((SUBJECTS / ROUNDS))
    echo $((($(used judge) - began) / (DECISIONS / ROUNDS + SUBJECTS / ROUNDS))) >>"$T/cost"
    [ $WORST_US -le "${WORST_OF_ALL:=0}" ] || WORST_OF_ALL=$WORST_US
}
for ((i = 0; i < ROUNDS; i++)); do
    round
done
expect_ok "$T/bad" -n ${#FILES[@]} "${FILES[@]}"
settle
use >"$T/after"

echo "figures: $DECISIONS decisions, $SUBJECTS short-lived subjects, worst wait $WORST_OF_ALL us"
paste -d' ' "$T/before" "$T/after" |
    awk '{ printf "figures: %s: %d -> %d KiB of its own, %d -> %d KiB resident, %d -> %d descriptors\n", $1, $2, $6, $3, $7, $4, $8 }'
# A descriptor more may be a question just now; the herald's heap may end between two of its records and keep a megabyte.
grown=$(paste -d' ' "$T/before" "$T/after" |
    awk '{ kib = $1 == "herald" ? 1280 : 256 } $6 > $2 + kib || $7 > $3 + kib || $8 > $4 + 2 { print $1 }')
assert_equal "$grown" "" "roles that grew by more than 256 KiB or two descriptors"
known=$(find "/proc/${PID[judge]}/fd" "${OF_PROCESSES[@]}" | wc -l)
# SUBJECTS_MAX and SIGHTS_MAX in subject.h.
((known > 0 && known <= 2 * (1024 + 256))) || fail "the judge has $known descriptors of processes"
# Of rounds as long as these some are disturbed: the cheapest of the first and of the last half.
cheapest() {
    "$1" -n $((ROUNDS / 2)) "$T/cost" | sort -n | head -n 1
}
first=$(cheapest head) last=$(cheapest tail)
echo "figures: judge: $first ns of processor time for a decision in the first half, $last in the last"
# What grows with each decision grows tenfold here; what a neighbour on the processor does to it is no more than half.
[ "$last" -le $((first * 2)) ] || fail "a decision costs more and more: $(xargs <"$T/cost") ns"

# Idle. The last repeats are told a second after they were seen.
sleep 2
for role in "${ROLES[@]}"; do
    IDLE[$role]=$(used "$role")
done
sleep 5
for role in "${ROLES[@]}"; do
    us=$((($(used "$role") - IDLE[$role]) / 1000))
    echo "figures: $role: $us us of processor time in 5 idle seconds"
    most=2500
    [ "$role" != keeper ] || most=25000
    [ $us -lt $most ] || fail "$role: idle, it uses $us us of 5 s"
done
stop
account
