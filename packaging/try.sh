#!/bin/bash
# Tries fileward on this machine's own files: audit-only, so that nothing is refused. Ctrl-C ends it.
# Everything it makes is below $FILEWARD_TRY (/run/fileward-try), but for the daemon's copy of the policy below
# /var/lib/fileward; and gone when it ends.
#   FILEWARD_LISTEN=HOST:PORT   where HTTP listens (127.0.0.1:9842)
#   FILEWARD_POLICIES=DIR       other policies than the shipped ones
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C
try=${FILEWARD_TRY:-/run/fileward-try}
program=${FILEWARD:-${BUILD:-build}/fileward}
policies=${FILEWARD_POLICIES:-policy}
listen=${FILEWARD_LISTEN:-127.0.0.1:9842}
config=$try/fileward.ini
# Where the daemon keeps its copy of this policy, and which of the directories above it are ours.
state=/var/lib/fileward
copy=$state/last-good/${config//\//%}
daemon='' reader='' made=()

say() {
    echo "fileward: $*" >&2
}

# A process that ended but was not waited for yet is gone.
lives() {
    [ "$1" ] && grep -qsv '^State:.*[ZX] ' <(grep -s '^State:' "/proc/$1/status")
}

# In any case. Each of its processes has a session of its own, and the judge guards on when its keeper is gone.
end_daemon() {
    local said children
    if lives "$daemon"; then
        kill -TERM "$daemon"
        for _ in {1..200}; do
            lives "$daemon" || break
            sleep 0.05
        done
    fi
    if ! lives "$daemon"; then
        said=$("$program" stop -c "$config" 2>&1) || [ $? = 3 ] || say "$said"
        return
    fi
    say "did not end within 10 seconds: killing it"
    # Stopped, it neither replaces the others nor lets go of their numbers.
    kill -STOP "$daemon"
    mapfile -t children < <(grep -lsE "^PPid:[[:space:]]+$daemon\$" /proc/[0-9]*/status | cut -d / -f 3)
    kill -KILL "${children[@]}" "$daemon"
}

finish() {
    local status=$?
    trap '' INT TERM HUP
    trap - EXIT
    [ "$reader" ] && kill -TERM "$reader" 2>/dev/null
    [ "$daemon" ] && end_daemon
    rm -rf "$try" "$copy" "$copy.new"
    [ ${#made[@]} = 0 ] || rmdir "${made[@]}" 2>/dev/null
    exit "$status"
}

prepare() {
    if [ "$(id -u)" != 0 ]; then
        say "run as root: fileward asks the kernel about other users' files"
        exit 4
    fi
    if lives "$(cat "$try/pid" 2>/dev/null)"; then
        say "\"make run\" runs already, as process $(cat "$try/pid")"
        exit 1
    fi
    rm -rf "$try"
    mkdir -m 0755 "$try" "$try/policy.d" "$try/log" || exit 1
    trap finish EXIT
    # The inner one first, as they are removed.
    [ -e "$state/last-good" ] || made+=("$state/last-good")
    [ -e "$state" ] || made+=("$state")
    trap 'exit 130' INT TERM HUP
    install -o root -g root -m 0644 "$policies"/*.ini "$try/policy.d/" || exit 1
    # The user is a number without an account: nothing is added to the machine.
    install -o root -g root -m 0644 /dev/stdin "$config" <<END
[fileward]
mode     = audit
listen   = $listen
socket   = $try/fileward.sock
log_file = $try/log/events.jsonl
user     = 60842
END
}

# In a session of its own, so that Ctrl-C comes to this script alone and not to each of fileward's processes; told to
# end when this script is killed.
start() {
    setpriv --pdeathsig TERM -- setsid "$program" run -c "$config" </dev/null >"$try/messages" 2>&1 &
    daemon=$!
    echo "$daemon" >"$try/pid"
    until grep -qs '^fileward: ready:' "$try/messages"; do
        if ! lives "$daemon"; then
            cat "$try/messages" >&2
            exit 1
        fi
        sleep 0.05
    done
    cat "$try/messages" >&2
}

where_to_look() {
    cat <<END

Watching /etc and every user's ~/.ssh; nothing is refused. What enforcing would refuse is recorded.
  records   $try/log/events.jsonl
  live      $program events -c $config -f
  status    $program status -c $config
  metrics   curl http://$listen/metrics
  explain   $program explain -c $config --path /etc/shadow --exe /usr/bin/cat
Ctrl-C ends it and leaves nothing behind.

END
}

prepare
start
where_to_look
if [ -t 1 ]; then
    "$program" events -c "$config" -f &
    reader=$!
fi
wait "$daemon"
say "ended:"
tail -n 5 "$try/messages" >&2
exit 1
