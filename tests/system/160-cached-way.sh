# promise: an open of a known process costs 6 system calls, 7 with its ids, at most 12 where rules tell read from write; fewer with many openers; no memory, path, log; nothing while idle
. tests/system/lib.sh
setup
need strace
not_sanitized "the sanitizers make system calls of their own"
grep -q FILEWARD_NO_CACHE "$BUILD/flags" && skip "built without what makes it quick"
opens=500
for watch in program same differ; do
    mkdir "$T/guarded/$watch"
    echo x >"$T/guarded/$watch/file"
done
guard "timeout = 5s" <<END # the tracer slows the judge down, which shall not look stuck
[watch program]
path = $T/guarded/program
default = deny
[rule program/opener]
action = allow
exe = $BUILD/tests/opener
[watch same]
path = $T/guarded/same
default = deny
[rule same/opener]
action = allow
exe = $BUILD/tests/opener
uid = root
[watch differ]
path = $T/guarded/differ
default = deny
[rule differ/opener]
action = allow
op = read
exe = $BUILD/tests/opener
END
judge=$(role_pid judge)

# calls WATCH [OPENERS]: what the judge does while so many processes (1) open that watch's file $opens times together, as
# "CALL COUNT" lines.
calls() {
    local tracer i openers=${2:-1} running=()
    strace -qq -p "$judge" -o "$T/trace" 2>"$T/strace" &
    tracer=$!
    until_true 5 grep -qs "^TracerPid:[[:space:]]*$tracer\$" "/proc/$judge/status" || skip "strace: $(cat "$T/strace")"
    for ((i = 0; i < openers; i++)); do
        limited "$BUILD/tests/opener" many $((opens / openers)) "$T/guarded/$1/file" >"$T/opened.$i" &
        running+=($!)
    done
    wait "${running[@]}"
    kill -INT $tracer
    wait $tracer 2>/dev/null
    for ((i = 0; i < openers; i++)); do
        grep -qw "opened $((opens / openers))" "$T/opened.$i" || fail "not all were allowed: $(cat "$T/opened.$i")"
    done
    sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$T/trace" | sort | uniq -c | awk '{ print $2, $1 }'
}

# expect_calls WATCH MOST CALL...: at most MOST for each open, and no others but for the first few of a process.
expect_calls() {
    local watch=$1 most=$2 lines sum call n
    shift 2
    lines=$(calls "$watch")
    sum=$(awk '{ n += $2 } END { print n + 0 }' <<<"$lines")
    printf '%s: %s for each open\n%s\n' "$watch" "$((sum * 100 / opens))/100" "$lines"
    # The first open of the process, and looks at what time has changed, come on top: 50 calls in all.
    [ "$sum" -ge $((5 * opens)) ] || fail "$watch: only $sum calls for $opens opens: the judge was not seen"
    [ "$sum" -le $((most * opens + 50)) ] || fail "$watch: $sum calls for $opens opens, more than $most each"
    while read -r call n; do
        [[ " $* " == *" $call "* ]] || [ "$n" -le 10 ] || fail "$watch: $n times $call"
    done <<<"$lines"
}
expect_calls program 6 epoll_wait read statx write close
expect_calls same 7 epoll_wait read statx ioctl write close
expect_calls differ 12 epoll_wait read statx ioctl write close fcntl pread64
# Who are many are read and answered together: whatever one read brings is answered by one call. With a tracer that slows
# the judge down there is always more than one.
lines=$(calls program 10)
of() {
    awk -v call="$1" '$1 == call { n = $2 } END { print n + 0 }' <<<"$lines"
}
reads=$(of read) answers=$(($(of write) + $(of writev)))
echo "10 openers: $opens opens, $reads reads, $answers answers"
[ "$(of writev)" -gt 0 ] || fail "10 openers: each is answered alone"
[ "$answers" -le $((reads + 20)) ] || fail "10 openers: $answers answers to what $reads reads brought"
[ "$(metric fileward_decision_cache_hits_total)" -ge $((2 * opens)) ] ||
    fail "decisions are not remembered"

# While nobody asks nothing is done: within a second at most what a look at the clock takes.
cpu_ns() {
    cut -d' ' -f1 "/proc/$judge/schedstat"
}
limited "$BUILD/tests/opener" many 2000 "$T/guarded/same/file" >/dev/null # so that it has reason to look again
is_at_rest() {
    local before
    before=$(cpu_ns)
    sleep 0.3
    [ "$(cpu_ns)" = "$before" ]
}
until_true 5 is_at_rest || fail "the judge does something though nobody asks"
