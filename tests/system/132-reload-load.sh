# promise: reloads under load: nothing forbidden opens, nothing allowed is refused, nobody waits beyond the bound
# timeout: 600
. tests/system/lib.sh
. tests/system/deaths.sh
setup
# Longer than a crowded machine keeps anybody from its processors: what is refused here is refused by the change of hands.
BOUND_US=1100000
prepare_deaths "timeout = 1s"
base=$(cat "$T/conf/fileward.ini")
mkdir "$T/other"
echo x >"$T/other/file"

# Policies that all say the same of the two files that are opened, and differ in everything else.
variant() {
    case $(($1 % 4)) in
    0) echo "$base" ;;
    1) sed 's/\[watch w\]/[watch renamed]/; s/\[rule w/[rule renamed/' <<<"$base" ;;
    2) printf '%s\n\n[watch other]\npath = %s\ndefault = deny\n' "$base" "$T/other" ;;
    3) sed 's/^op = read list/op = read write exec list/; s/^default = deny/guard = open+read\n&/' <<<"$base" ;;
    esac
}

begin_load
for ((i = 1; i <= ${RELOADS:-12}; i++)); do
    variant "$i" >"$T/conf/fileward.ini"
    if [ $((i % 5)) = 0 ]; then # one that is refused, in between
        echo 'no-such-key = 1' >>"$T/conf/fileward.ini"
        expect_status 3 "$FILEWARD" reload --socket "$SOCKET"
    else
        expect_ok "$FILEWARD" reload --socket "$SOCKET"
    fi
done
end_load
check_load reloads
# Each judge left when it was told to. One that does not is ended after half the timeout, and everybody waits for that.
for who in good bad; do
    [ "$(load $who worst_us)" -lt 450000 ] || fail "'$who' waited for a judge that did not leave: $(cat "$T/load/$who".*)"
done
assert_equal "$(load good ebusy)" 0 "allowed opens released without a decision"
tell_load "figures: $((i - 1)) reloads:"
metric_becomes fileward_rescues_total 0
echo "$base" >"$T/conf/fileward.ini"
expect_ok "$FILEWARD" reload --socket "$SOCKET"
forget_deaths
expect_as_before "after the reloads"
stop
account
