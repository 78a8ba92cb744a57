# promise: a remembered answer is not given to who or what has changed: program, ids, groups, control group, parents, owner, mode, place, time, policy
. tests/system/lib.sh
setup
shifter=$BUILD/tests/shifter
mkdir "$T/bin"
for program in first second upgraded; do
    cp "$shifter" "$T/bin/$program"
done
watches="exe uid gid groups egid parent ancestor owner public place newcomer expires"
for watch in $watches; do
    mkdir "$T/guarded/$watch"
    echo x >"$T/guarded/$watch/file"
done
mkdir "$T/guarded/place/in" "$T/guarded/newcomer/in"
echo x >"$T/guarded/place/in/file"
chmod 644 "$T/guarded/public/file"
chown 1111 "$T/guarded/owner/file"
chmod 755 "$T" "$T/bin" "$T/guarded"

# rule WATCH "CONDITION": whoever it does not hold for is refused.
rule() {
    printf '[watch %s]\npath = %s\ndefault = deny\n[rule %s/allow]\naction = allow\n%s\n' "$1" "$T/guarded/$1" "$1" "$2"
}
the_policy() {
    rule exe "exe = $T/bin/first"
    rule uid "uid = 1111"
    rule gid "gid = 3333"
    rule groups "gid = 4444"
    rule egid "egid = 3333"
    rule parent "parent = $T/bin/first"
    rule ancestor "ancestor = $T/bin/first"
    rule owner "uid = owner"
    rule public "object = public"
    rule place "path = $T/guarded/place/in"
    rule newcomer "path = $T/guarded/newcomer/in/right"
    rule expires "expires = $(date -u -d '5 seconds' +%FT%H:%M:%SZ)"
}
guard < <(the_policy)

# begin [PROGRAM]: a new shifter; say COMMAND: what it answers is in $ANSWER.
begin() {
    end
    coproc SHIFTER { exec timeout -s KILL 200 "${1:-$T/bin/first}"; }
}
end() {
    [ -z "${SHIFTER_PID:-}" ] || {
        kill -KILL "$SHIFTER_PID" 2>/dev/null
        wait "$SHIFTER_PID" 2>/dev/null
    }
}
say() {
    echo "$*" >&"${SHIFTER[1]}"
    IFS= read -r -t "$COMMAND_SECONDS" ANSWER <&"${SHIFTER[0]}" || fail "no answer to: $*"
}
do_it() {
    say "$@"
    [ "$ANSWER" = ok ] || fail "$*: $ANSWER"
}
# allowed WATCH / refused WATCH [NAME]: so often that it would be remembered.
allowed() {
    for _ in 1 2 3; do
        say open "$T/guarded/$1/${2:-file}"
        [ "$ANSWER" = ok ] || fail "line ${BASH_LINENO[0]}: $1 should be allowed: $ANSWER"
    done
}
refused() {
    for _ in 1 2 3; do
        say open "$T/guarded/$1/${2:-file}"
        [ "$ANSWER" = "Operation not permitted" ] || fail "line ${BASH_LINENO[0]}: $1 should be refused: $ANSWER"
    done
}

# answers_are allowed|refused WATCH NAME: for what comes to be so.
answers_are() {
    say open "$T/guarded/$2/$3"
    case $1 in
    allowed) [ "$ANSWER" = ok ] ;;
    refused) [ "$ANSWER" = "Operation not permitted" ] ;;
    esac
}

# --- who asks -----------------------------------------------------------------------------------------------------------

begin
allowed expires
allowed exe
do_it exec "$T/bin/second"
refused exe
do_it exec "$T/bin/first"
allowed exe

refused uid
do_it uid 1111
allowed uid
do_it uid 0
refused uid

refused gid
do_it gid 3333
allowed gid
allowed egid
do_it egid 7
refused egid
do_it gid 7
refused gid

refused groups
do_it groups 5 4444
allowed groups
do_it groups 5
refused groups

# --- whose child it is ----------------------------------------------------------------------------------------------------

begin "$T/bin/second"
refused parent
refused ancestor
do_it child
refused parent
refused ancestor
do_it parent-exec "$T/bin/first"
allowed parent
allowed ancestor
begin
do_it child
allowed parent
do_it child # of a child, whose parent is the first
allowed ancestor
do_it parent-exec "$T/bin/second"
refused parent
allowed ancestor

# --- the program's file ---------------------------------------------------------------------------------------------------

# Another file takes the name that the policy has: at most a second later that is the program, and this one is not.
begin
allowed exe
mv "$T/bin/first" "$T/bin/was-first"
mv "$T/bin/upgraded" "$T/bin/first"
is_refused() {
    say open "$T/guarded/exe/file"
    [ "$ANSWER" = "Operation not permitted" ]
}
until_true 3 is_refused || fail "a program that has lost its name is still allowed"
refused exe
begin
allowed exe
end
mv "$T/bin/was-first" "$T/bin/first"

# --- the object -------------------------------------------------------------------------------------------------------------

begin
refused owner
do_it uid 1111
allowed owner
chown 2222 "$T/guarded/owner/file"
refused owner
do_it uid 0

allowed public
chmod 666 "$T/guarded/public/file"
refused public
chmod 644 "$T/guarded/public/file"
allowed public
chown 1111 "$T/guarded/public/file"
refused public

# What was there at the start keeps its place.
allowed place in/file
mv "$T/guarded/place/in/file" "$T/guarded/place/out"
allowed place out
refused place file
# What has come since has the place of its present name, at first.
newcomer_is() { # allowed|refused NAME
    until_true 5 answers_are "$1" newcomer "$2" || fail "newcomer, by the name $2, should be $1"
}
echo x >"$T/guarded/newcomer/in/right"
newcomer_is allowed in/right
mv "$T/guarded/newcomer/in/right" "$T/guarded/newcomer/in/wrong"
newcomer_is refused in/wrong
mv "$T/guarded/newcomer/in/wrong" "$T/guarded/newcomer/in/right"
newcomer_is allowed in/right
# A place that is somebody else's by now is not remembered as what it was.
marks=$(metric 'fileward_marks{watch="newcomer"}')
rm "$T/guarded/newcomer/in/right"
metric_becomes 'fileward_marks{watch="newcomer"}' $((marks - 1))
: >"$T/guarded/newcomer/in/wrong" 2>/dev/null
metric_becomes 'fileward_marks{watch="newcomer"}' "$marks"
refused newcomer in/wrong
rm "$T/guarded/newcomer/in/wrong"
metric_becomes 'fileward_marks{watch="newcomer"}' $((marks - 1))
: >"$T/guarded/newcomer/in/right"
metric_becomes 'fileward_marks{watch="newcomer"}' "$marks"
allowed newcomer in/right
# After 10 s it keeps the one that it has.
is_old() { [ $(($(date +%s%N) - $(stat -c %W "$T/guarded/newcomer/in/right") * 1000000000)) -gt 11500000000 ]; }
until_true 15 is_old || fail "time stands still"
mv "$T/guarded/newcomer/in/right" "$T/guarded/newcomer/in/elsewhere"
: >"$T/guarded/newcomer/in/right" # the scout has seen the rename when it has seen this
metric_becomes 'fileward_marks{watch="newcomer"}' $((marks + 1))
allowed newcomer in/elsewhere

# --- all of it ----------------------------------------------------------------------------------------------------------------

[ "$(metric fileward_decision_cache_hits_total)" -gt 0 ] || grep -q FILEWARD_NO_CACHE "$BUILD/flags" ||
    fail "nothing was remembered, so nothing was tried"

has_expired() {
    say open "$T/guarded/expires/file"
    [ "$ANSWER" = "Operation not permitted" ]
}
until_true 8 has_expired || fail "a rule past its time still holds"
refused expires

# Another policy is another judge, which remembers nothing. The same program, which was refused, and the other one.
begin "$T/bin/second"
refused exe
policy <<END
[watch exe]
path = $T/guarded/exe
default = deny
[rule exe/allow]
action = allow
exe = $T/bin/second
END
expect_ok "$FILEWARD" reload -c "$T/conf/fileward.ini"
allowed exe
do_it exec "$T/bin/first"
refused exe
end
exit 0
