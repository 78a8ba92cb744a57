# promise: SIGTERM and SIGINT under load end everything within 2 s: no process, no socket, no opener is left behind
. tests/system/lib.sh
. tests/system/deaths.sh
setup

# expect_end SIGNAL CHILDREN...: it ends on that signal, and its children with it.
expect_end() {
    local signal=$1 began took
    shift
    began=${EPOCHREALTIME/./}
    kill "-$signal" "$DAEMON"
    wait_for_end 5
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
    [ $took -le 2000 ] || fail "$signal: it took $took ms to end"
    are_gone "$@" || fail "$signal: left behind: $(ps -o pid,stat,comm -p "$(join , "$@")")"
    [ ! -e "$SOCKET" ] || fail "$signal: the socket is still there"
    echo "$signal: ended in $took ms"
}

prepare_deaths
for signal in TERM INT; do
    if [ ! "$DAEMON" ]; then
        : >"$LOG"
        start
    fi
    mapfile -t children < <(pgrep --parent "$DAEMON")
    assert_equal ${#children[@]} 4 "children of the keeper"
    assert test -S "$SOCKET"
    begin_load
    verdicts_are_given "before $signal"
    expect_end "$signal" "${children[@]}"
    assert_equal "$STATUS" 0 "exit status after $signal"
    # Whoever waited goes on, and is asked no more.
    expect_ok "$T/bad" -n 100 "$T/guarded/forbidden"
    assert_equal "$(jq .ok <<<"$OUTPUT")" 100 "opens without a gate"
    end_load
    for who in good bad; do
        [ "$(load $who worst_us)" -le "$BOUND_US" ] || fail "$signal: '$who' waited: $(cat "$T/load/$who".*)"
        assert_equal "$(load $who other)" 0 "$signal: opens of '$who' that failed otherwise: $(cat "$T/load/$who".*)"
    done
    assert_equal "$(load good eperm) $(load good ebusy)" "0 0" "$signal: allowed opens that were refused"
    assert_equal "$(record_count '.kind == "start"') $(record_count '.kind == "stop"')" "1 1" "start and stop records"
    account
done
assert_equal "$(record_count '.kind == "stop" and (.reason | test("terminal"))')" 1 "stop record of SIGINT"

# Told to stop before it is ready, at whatever it does just then.
has_children() {
    [ "$(pgrep --count --parent "$DAEMON" fileward-)" -ge "$1" ] || is_gone "$DAEMON"
}
for count in 0 1 2 3 4; do
    launch
    until_true 5 has_children "$count" || fail "it never had $count children"
    mapfile -t children < <(pgrep --parent "$DAEMON")
    expect_end TERM "${children[@]}"
done

# A stopped child does not hold it up beyond its time.
for role in judge spare scout; do
    start
    mapfile -t children < <(pgrep --parent "$DAEMON")
    kill -STOP "$(seat_pid $role)"
    expect_end TERM "${children[@]}"
done
