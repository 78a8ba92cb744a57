# promise: the first open of a process costs a bounded number of system calls for each thing that the rules ask for, and none for what they do not
# shellcheck disable=SC2034 # condition_X and calls_X are read by these names
. tests/system/lib.sh
setup
need strace
not_sanitized "the sanitizers make system calls of their own"
grep -q FILEWARD_NO_CACHE "$BUILD/flags" && skip "built without what makes it quick"
times=200
opener=$BUILD/tests/opener
# What a watch asks for, and how many calls each process may cost beside its question. What is closed is not counted:
# it is what was opened before.
asked=(nothing ids exe both parent ancestor loginuid unit groups)
declare -A condition calls
condition[nothing]="path = $T/guarded/nothing" calls[nothing]=0
condition[ids]="uid = root" calls[ids]=2
condition[exe]="exe = $opener" calls[exe]=2
condition[both]="uid = root
exe = $opener" calls[both]=4
condition[parent]="parent = $opener" calls[parent]=3
condition[ancestor]="ancestor = /usr/bin/none" calls[ancestor]=2
condition[loginuid]="loginuid = 12345" calls[loginuid]=3
condition[unit]="unit = none.service" calls[unit]=2
[[ $(</proc/self/cgroup) != *:name=systemd:* ]] || calls[unit]=6 # two hierarchies: no number tells the unit
condition[groups]="gid = 12345" calls[groups]=5
for what in "${asked[@]}"; do
    mkdir "$T/guarded/$what"
    echo x >"$T/guarded/$what/file"
    printf '[watch %s]\npath = %s\ndefault = allow\n[rule %s/r]\naction = allow\n%s\n' \
        "$what" "$T/guarded/$what" "$what" "${condition[$what]}"
done >"$T/policy"
guard "timeout = 5s" <"$T/policy" # the tracer slows the judge down, which shall not look stuck
judge=$(role_pid judge)

# trace WHAT: what the judge does while that many new processes open a file once; a line a call. Looking whether another
# question has come is not counted: between two new processes there is time for that.
trace() {
    local tracer
    limited "$opener" new 3 "$T/guarded/$1/file" >/dev/null # the programs and the units are known now
    strace -qq -p "$judge" -o "$T/trace" 2>"$T/strace" &
    tracer=$!
    until_true 5 grep -qs "^TracerPid:[[:space:]]*$tracer\$" "/proc/$judge/status" || skip "strace: $(cat "$T/strace")"
    limited "$opener" new $times "$T/guarded/$1/file" >"$T/opened"
    kill -INT $tracer || fail "strace ended: $(cat "$T/strace")"
    wait $tracer 2>/dev/null
    grep -qw "opened $times" "$T/opened" || fail "$1: not all were allowed: $(cat "$T/opened")"
    grep -v -e '^epoll_' -e '^close(' -e '= -1 EAGAIN' -e '^pread64(.*\..* .*/' "$T/trace"
}

# How many stand above a child of the opener: it, and who limits its time; one may hide its program, and is asked twice.
above=3
pid=$$
while [ "$pid" -gt 0 ]; do
    above=$((above + 1))
    pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done
for what in "${asked[@]}"; do
    trace "$what" >"$T/calls"
    sum=$(wc -l <"$T/calls")
    most=$((${calls[$what]} + 3)) # read, statx of the object, write
    [ "$what" != ancestor ] || most=$((most + above))
    printf '%-9s %s calls for each new process, at most %s\n' "$what" "$((sum * 100 / times))/100" "$most"
    sed 's/(.*//' "$T/calls" | sort | uniq -c | tr '\n' ','
    echo
    [ "$sum" -ge $((3 * times)) ] || fail "$what: only $sum calls: the judge was not seen"
    # Looks at what time has changed come on top.
    [ "$sum" -le $((most * times + times / 2)) ] || fail "$what: $sum calls for $times processes, more than $most each"
done
trace ids >"$T/calls"
[ "$(grep -c '^openat' "$T/calls")" -le 5 ] || fail "ids: /proc is opened though only ids are asked for"
trace exe >"$T/calls"
[ "$(grep -c '^pidfd_open' "$T/calls")" -le 5 ] || fail "exe: ids are looked at though only the program is asked for"
