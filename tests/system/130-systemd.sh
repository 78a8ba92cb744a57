# promise: under systemd: installed as the README says, it guards from the boot on, through deaths, reload, upgrade, rotation
# timeout: 150
. tests/system/lib.sh
. tests/system/deaths.sh
setup
not_sanitized "the unit's filters are made for the program alone"
need systemd-nspawn nsenter logrotate make

# A container with a systemd of its own as process 1: this machine's /usr, read-only, and all else on the test's tmpfs.
# So nothing is downloaded, and no permission mark can lie on this machine's files. It has its own network.
R=$T/root
NSPAWN='' LEADER='' CGROUPS=()
LOG=$R/var/log/fileward/events.jsonl
USER_HOME=/home/somebody

make_root() {
    local name
    mkdir -p "$R"/{usr,etc/systemd/system,var,run,tmp,proc,sys,dev,root/.ssh,srv/guarded,srv/late} "$R$USER_HOME/.ssh"
    for name in bin sbin lib lib32 lib64 libx32; do
        if [ -L "/$name" ]; then
            cp -P "/$name" "$R/"
        elif [ -d "/$name" ]; then
            skip "/$name of this machine is not in /usr: the test's container is made of /usr"
        fi
    done
    assert mount --bind -o ro /usr "$R/usr"
    assert mount -t tmpfs -o mode=0755 fileward-test "$R/usr/local"
    mkdir "$R/usr/local/bin"
    cp "$HAMMER" "$R/usr/local/bin/good"
    cp "$HAMMER" "$R/usr/local/bin/bad"
    echo 'root:x:0:0::/root:/bin/sh' >"$R/etc/passwd"
    echo "somebody:x:1000:1000::$USER_HOME:/bin/sh" >>"$R/etc/passwd"
    printf 'root:x:0:\nsomebody:x:1000:\n' >"$R/etc/group"
    # A machine that has an id has been booted before: what is not enabled is not started.
    tr -d - </proc/sys/kernel/random/uuid >"$R/etc/machine-id"
    ln -s /usr/lib/systemd/system/basic.target "$R/etc/systemd/system/default.target"
    echo key >"$R/root/.ssh/id_ed25519"
    echo key >"$R$USER_HOME/.ssh/id_ed25519"
    echo secret >"$R/srv/guarded/forbidden"
    echo allowed >"$R/srv/guarded/allowed"
    chown -R 1000:1000 "$R$USER_HOME"
    chmod 700 "$R/root" "$R/root/.ssh" "$R$USER_HOME" "$R$USER_HOME/.ssh"
}

# A control group of its own, so that two containers on one machine do not share one.
own_cgroups() {
    local kind path top stale
    while IFS=: read -r _ kind path; do
        case $kind in
        "") top=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1) ;;
        name=systemd) top=/sys/fs/cgroup/systemd ;;
        *) continue ;;
        esac
        # Of tests that were killed:
        for stale in "$top$path"/fileward-test.*; do
            [ -d "/run/${stale##*/}" ] || remove_group "$stale"
        done
        path=$top$path/${T##*/}
        mkdir "$path" || skip "cannot make a control group at $path"
        CGROUPS+=("$path")
    done </proc/self/cgroup
}

# boot: nspawn's own filter would refuse these calls even to root.
boot() {
    (
        for group in "${CGROUPS[@]}"; do
            echo "$BASHPID" >"$group/cgroup.procs"
        done
        exec systemd-nspawn --quiet --directory="$R" --machine=fileward-test --register=no --keep-unit \
            --private-network --capability=CAP_CHECKPOINT_RESTORE --system-call-filter="fanotify_init fanotify_mark pidfd_getfd" --boot
    ) </dev/null >"$T/console" 2>&1 &
    NSPAWN=$!
    if ! until_true 30 booted || is_gone "$NSPAWN"; then
        return 1
    fi
    # For what deaths.sh looks at: the directory of the lock.
    rm -rf "$T/run"
    ln -s "/proc/$LEADER/root/run/fileward" "$T/run"
}

# expect_end STATUS: of the container.
expect_end() {
    until_true 15 is_gone "$NSPAWN" || fail "the container does not end: $(tail -n 20 "$T/console")"
    wait "$NSPAWN"
    assert_equal "$?" "$1" "the exit status of the container"
}

# Process 1 of the container outlives its nspawn.
put_away() {
    local status=$?
    [ -z "$NSPAWN" ] || kill -KILL "$LEADER" "$NSPAWN" 2>/dev/null
    wait 2>/dev/null
    DAEMON=
    until_true 5 remove_cgroups
    umount -l "$R/usr/local" "$R/usr" 2>/dev/null
    (exit "$status")
    finish
}

remove_cgroups() {
    local group
    for group in "${CGROUPS[@]}"; do
        remove_group "$group" || return 1
    done
}

remove_group() {
    [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
}

# inside COMMAND...: in the container, as root.
inside() {
    timeout -s KILL "${INSIDE_SECONDS:-20}" nsenter --target "$LEADER" --all -- "$@"
}

# nspawn's only child is process 1 of the container, once it has namespaces of its own.
booted() {
    is_gone "$NSPAWN" && return 0
    LEADER=$(pgrep --parent "$NSPAWN" | head -n 1)
    [ "$LEADER" ] && ! [ "/proc/$LEADER/ns/pid" -ef /proc/self/ns/pid ] || return 1
    case $(inside systemctl is-system-running 2>/dev/null) in
    running | degraded) ;;
    *) return 1 ;;
    esac
}

unit() {
    inside systemctl show --property="$1" --value fileward
}

# processes PATTERN: pids of those in the container whose name matches.
processes() {
    pgrep --ns "$LEADER" --nslist pid "$@"
}

# Active, and all there are is one keeper with its children.
unit_is_up() {
    [ "$(unit ActiveState) $(unit SubState)" = "active running" ] || return 1
    DAEMON=$(processes --exact fileward-keeper) && household_is_complete &&
        [ "$(processes fileward- | sort)" = "$({ echo "$DAEMON" && pgrep --parent "$DAEMON"; } | sort)" ]
}

expect_up() {
    until_true 15 unit_is_up || fail "$1: not up: $(what_happened)"
}

# expect_another WHEN OLD: up again, with another keeper than OLD.
expect_another() {
    until_true 20 another_is_up "$2" || fail "$1: not up again: $(what_happened)"
}

another_is_up() {
    unit_is_up && [ "$DAEMON" != "$1" ]
}

what_happened() {
    inside journalctl --no-pager --unit fileward --lines 30 2>&1
    processes --list-name fileward-
}

http() {
    local path=$1
    shift
    inside curl -sS --max-time 5 "$@" "http://127.0.0.1:9842$path"
}

# opens PROGRAM FILE: how many of 20 opens succeeded, were refused, were released.
opens() {
    inside "/usr/local/bin/$1" -n 20 "$2" | jq -r '"\(.ok) \(.eperm) \(.ebusy)"'
}

expect_guarded() {
    assert_equal "$(opens bad /srv/guarded/forbidden)" "0 20 0" "$1: a stranger's opens"
    assert_equal "$(opens good /srv/guarded/allowed)" "20 0 0" "$1: allowed opens"
}

begin_load() {
    local i
    OPENERS=()
    mkdir -p "$T/load"
    rm -f "$T/load/"*
    for i in 1 2; do
        INSIDE_SECONDS=60 inside /usr/local/bin/good /srv/guarded/allowed >"$T/load/good.$i" &
        OPENERS+=($!)
        INSIDE_SECONDS=60 inside /usr/local/bin/bad /srv/guarded/forbidden >"$T/load/bad.$i" &
        OPENERS+=($!)
    done
    until_true 5 openers_run || fail "the openers do not start"
}

openers_run() {
    [ "$(processes --exact --count 'good|bad')" = 4 ]
}

# end_load WHEN: nothing forbidden succeeded meanwhile, and nobody waited too long.
end_load() {
    inside pkill -TERM --exact 'good|bad'
    until_true 5 are_gone "${OPENERS[@]}" || fail "$1: an opener hangs"
    wait "${OPENERS[@]}"
    check_load "$1"
    tell_load "$1"
}

# enforce ["LINE"...]: the policy that the rest of the test is about, with these lines more.
enforce() {
    rm -f "$R/etc/fileward/policy.d/"*.ini
    cat >"$R/etc/fileward/fileward.ini" <<END
[fileward]
mode = enforce

[watch w]
path = /srv/guarded
default = deny

[rule w/good]
action = allow
op = read list
exe = /usr/local/bin/good

[rule w/new]
action = allow
path = /srv/guarded/new

[watch home]
path = ~/.ssh
default = deny
END
    printf '%s\n' "$@" >>"$R/etc/fileward/fileward.ini"
}

make_root
trap put_away EXIT
own_cgroups
boot || skip "systemd-nspawn starts no container here: $(grep -v '^$' "$T/console" | tail -n 1 | cat -v)"

# --- as the README says -----------------------------------------------------------------------------------------------

MAKEFLAGS='' make -s install-files BUILD="$BUILD" DESTDIR="$R" >/dev/null || fail "make install"
assert inside systemd-sysusers
assert inside systemd-tmpfiles --create fileward.conf
inside systemctl --quiet enable --now fileward || { inside journalctl -u fileward --no-pager | tail -n 20; inside systemctl status fileward --no-pager; fail "start"; }
expect_up "after the installation"
assert inside fileward check
assert_equal "$(inside cat /root/.ssh/id_ed25519)" key "in audit mode"
record_has '.watch == "ssh" and .decision == "deny" and .verdict == "allow"'
assert_equal "$(inside stat -c '%U %G %a' /var/log/fileward /var/log/fileward/events.jsonl /run/fileward/gate | xargs)" \
    "fileward fileward 750 fileward fileward 640 root root 600" "who owns the log and the lock"

# Again, over a policy that is there: it stays as it is. The shipped ones are beside, for who wants them.
enforce
cp "$R/etc/fileward/fileward.ini" "$T/policy"
MAKEFLAGS='' make -s install-files BUILD="$BUILD" DESTDIR="$R" >/dev/null || fail "make install, again"
assert inside systemctl daemon-reload
assert cmp "$T/policy" "$R/etc/fileward/fileward.ini"
assert [ ! -e "$R/etc/fileward/policy.d/ssh.ini" ]

# --- reload -----------------------------------------------------------------------------------------------------------

# The unit sees all files where they are, and another mount table than ours: what is made later has its place all the same.
assert inside systemctl reload fileward
expect_guarded "after the reload"
assert [ ! "/proc/$DAEMON/ns/mnt" -ef "/proc/$LEADER/ns/mnt" ]
assert_equal "$(opens bad $USER_HOME/.ssh/id_ed25519)" "0 20 0" "opens of a user's key"
assert_equal "$(opens bad /root/.ssh/id_ed25519)" "0 20 0" "opens of root's key"
assert inside sh -c 'echo new >/srv/guarded/new'
assert_equal "$(opens bad /srv/guarded/new)" "20 0 0" "opens of a file made later, allowed by its place"
expect_eperm inside sh -c 'echo other >/srv/guarded/other'

# A file system that comes later is seen, and can go again.
assert inside mount -t tmpfs late /srv/late
assert inside sh -c 'echo secret >/srv/late/secret'
enforce "[watch late]" "path = /srv/late" "default = deny"
assert inside systemctl reload fileward
assert_equal "$(opens bad /srv/late/secret)" "0 20 0" "opens on a file system mounted after the start"
assert inside umount /srv/late
enforce
assert inside systemctl reload fileward

# A policy with mistakes changes nothing, and the reload fails.
echo "pth = /srv" >>"$R/etc/fileward/fileward.ini"
! inside systemctl reload fileward || fail "a policy with mistakes is accepted"
expect_up "after the reload of a bad policy"
expect_guarded "after the reload of a bad policy"
enforce
assert inside systemctl reload fileward

# --- deaths -----------------------------------------------------------------------------------------------------------

for role in judge spare scout herald keeper; do
    expect_up "before the death of the $role"
    keeper=$DAEMON
    begin_load
    kill -KILL "$(seat_pid $role)"
    if [ $role = keeper ]; then
        expect_another "the keeper killed" "$keeper"
    else
        expect_up "the $role killed"
        assert_equal "$DAEMON" "$keeper" "the keeper, after the death of the $role"
    fi
    end_load "$role killed"
    expect_guarded "$role killed"
done

# Fed no longer, the watchdog bites.
keeper=$DAEMON
begin_load
kill -STOP "$DAEMON"
expect_another "the keeper stopped" "$keeper"
end_load "keeper stopped"
expect_guarded "keeper stopped"
assert grep -q "Watchdog timeout" <<<"$(inside journalctl --no-pager --unit fileward)"

# --- upgrade ----------------------------------------------------------------------------------------------------------

keeper=$DAEMON
begin_load
cp "$R/usr/local/sbin/fileward" "$R/usr/local/sbin/fileward.new"
mv "$R/usr/local/sbin/fileward.new" "$R/usr/local/sbin/fileward"
assert inside systemctl kill --kill-who=main --signal=USR2 fileward
expect_another "upgrade" "$keeper"
end_load "upgrade"
expect_guarded "upgrade"
assert_equal "$(unit NRestarts)" 3 "starts after the first: the keeper killed, stopped, replaced"
assert_equal "$(stat -L -c %i "/proc/$DAEMON/exe")" "$(stat -c %i "$R/usr/local/sbin/fileward")" "the program that runs now"

# --- records ----------------------------------------------------------------------------------------------------------

# The old log keeps what it had, the new one is the service user's, and gets what comes.
inode=$(stat -c %i "$LOG")
assert inside logrotate --force --state /run/rotated /etc/logrotate.d/fileward
opens bad /srv/guarded/forbidden >/dev/null
record_has '.watch == "w" and .verdict == "deny"'
assert_equal "$(stat -c %i "$LOG.1")" "$inode" "the rotated log"
assert_equal "$(inside stat -c '%U %G %a' /var/log/fileward/events.jsonl)" "fileward fileward 640" "who owns the new log"

# --- stop and boot ----------------------------------------------------------------------------------------------------

assert inside systemctl stop fileward
assert_equal "$(opens bad /srv/guarded/forbidden)" "20 0 0" "opens when it is stopped"
assert_equal "$(processes fileward-)" "" "processes that stay"
assert_equal "$(unit Result)" success "the result of the unit"

# Before the first service of an ordinary kind is started, it guards, even if the policy was broken since.
mkdir "$R/etc/systemd/system/basic.target.wants"
cat >"$R/etc/systemd/system/probe.service" <<END
[Service]
Type=oneshot
ExecStart=/usr/local/bin/bad -n 20 /srv/guarded/forbidden
StandardOutput=file:/var/probe.json
END
ln -s ../probe.service "$R/etc/systemd/system/basic.target.wants/"
assert inside systemctl start fileward
echo "pth = /srv" >>"$R/etc/fileward/fileward.ini"
inside systemctl reboot
expect_end 133 # how nspawn says that it wants to be started again
boot || fail "the container does not boot: $(tail -n 20 "$T/console")"
expect_up "after the boot"
assert_equal "$(jq -r '"\(.ok) \(.eperm) \(.ebusy)"' "$R/var/probe.json")" "0 20 0" "opens of a service at boot"
expect_guarded "after the boot"

# And it is out of the way when the machine goes down.
kill -s RTMIN+4 "$LEADER"
expect_end 0
record_has '.kind == "stop" and .role == "keeper"'
