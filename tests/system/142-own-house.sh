# promise: fileward guards its own configuration, log, socket, program, the tree it was built in and a chroot's /usr and /etc: no deadlock
# timeout: 180
. tests/system/lib.sh
. tests/system/deaths.sh
setup
need make gcc
chown "$FILEWARD_UID" "$T/log" # so that the log can be made anew
not_sanitized "they open files of their own"

# run_command STATUS ARGUMENTS...: a command of fileward's own.
run_command() {
    local status=$1 said=$2
    shift
    expect_status "$status" "$FILEWARD" "$@" -c "$T/conf/fileward.ini"
    [ "$OUTPUT" ] || fail "fileward $said says nothing"
}

# begin MODE <<END: the daemon guards what END says, beside the openers' files.
begin() {
    MODE=$1
    [ -e "$T/guarded/allowed" ] || prepare_deaths
    [ ! "$DAEMON" ] || stop
    sed -i "s/^mode = .*/mode = $MODE/; /^# own/,\$d" "$T/conf/fileward.ini"
    { echo "# own"; cat; } >>"$T/conf/fileward.ini"
    forget_deaths
    rm -f "$LOG" "$LOG.1"
    : >"$T/guarded/fresh"
    start
}

log_is_new() {
    [ -e "$LOG" ] && [ "$(stat -c %i "$LOG")" != "$(stat -c %i "$LOG.1")" ]
}

# exercise WHEN POLICY PROGRAM: what is done with a daemon, while it guards what it stands on; two names of it.
exercise() {
    local role how
    run_command 0 status
    run_command 0 events
    run_command 0 check
    run_command "$([ "$MODE" = audit ] && echo 5 || echo 0)" explain --path "$2" --exe "$3"
    run_command 1 run
    [[ $OUTPUT == *"runs already"* ]] || fail "a second run says: $OUTPUT"
    begin_load 1
    for role in judge spare scout herald; do
        for how in KILL STOP; do
            die $role $how
        done
    done
    end_load
    check_load "$1"
    mv "$LOG" "$LOG.1"
    kill -USR1 "$DAEMON"
    until_true 5 log_is_new || fail "$1: the log was not opened again"
    verdicts_are_given "$1, after the log was rotated"
    limited "$T/bad" -n 1 "$T/guarded/fresh" >"$T/said"
    record_has '.object.path == "'"$T/guarded/fresh"'"'
    run_command 0 events --denied --since 1h
    [[ $OUTPUT == *"$T/guarded/fresh"* ]] || fail "$1: no events in the new log: $OUTPUT"
    run_command 0 status
    stop
    assert_equal "$STATUS" 0 "$1: exit status"
    : >"$LOG"
    start
    run_command 0 status
    verdicts_are_given "$1, started again"
    stop
    assert_equal "$STATUS" 0 "$1: exit status of the second run"
    if [ "$MODE" = audit ]; then
        assert_equal "$(record_count '.verdict == "deny"')" 0 "$1: refusals in audit mode"
    fi
}

# --- what it reads and writes, and the tree it was built in -----------------------------------------------------------
tree=$T/tree
mkdir -p "$tree/build"
cp -a Makefile src include "$tree/"
cp -a "$BUILD/obj" "$BUILD/fileward" "$tree/build/"
[ ! -e "$BUILD/flags" ] || cp -a "$BUILD/flags" "$tree/build/"
FILEWARD=$tree/build/fileward

make_it() {
    COMMAND_SECONDS=100 limited env -u MAKEFLAGS -u MAKELEVEL -u BUILD make -C "$tree" >"$T/made" 2>&1 ||
        fail "make in the guarded tree: $(tail "$T/made")"
}
make_it

# own_watches RULES: over everything that it has.
own_watches() {
    cat <<END
[watch conf]
path = $T/conf
default = deny
guard = open+read
[watch log]
path = $T/log
default = deny
log = all
[watch run]
path = $T/run
default = deny
[watch tree]
path = $tree
default = deny
$*
END
}

begin audit < <(own_watches)
exercise "own files, audit" "$T/conf/fileward.ini" "$FILEWARD"

rule() {
    printf '[rule %s/tools]\naction = allow\nexe = %s\nuid = 0\n' "$1" "$2"
}
begin enforce < <(own_watches "$(rule conf "$FILEWARD")
$(rule log "$FILEWARD /usr/bin/jq")
$(rule run "$FILEWARD")
$(rule tree "/usr/** $FILEWARD")")
exercise "own files, enforce" "$T/conf/fileward.ini" "$FILEWARD"
start
for file in "$T/conf/fileward.ini" "$LOG"; do
    expect_eperm cat "$file"
done
expect_eperm as_user 1000 cat "$tree/Makefile"
# It is built anew while it runs: its program has another inode then.
touch "$tree/src/main.c"
make_it
[[ $(readlink "/proc/$DAEMON/exe") == *"(deleted)" ]] || fail "make did not replace the program: $(cat "$T/made")"
run_command 0 status
verdicts_are_given "after its program was replaced"
stop

# --- the /usr and /etc of a chroot in which it runs -------------------------------------------------------------------
root=$T/root
mkdir -p "$root"/{usr/bin,usr/sbin,usr/lib,etc/fileward,proc,dev,run,tmp,var} "$root$T"
ln -s usr/bin usr/sbin usr/lib "$root/"
ln -s usr/lib "$root/lib64"
cp "$BUILD/fileward" "$root/usr/sbin/"
cp "$(readlink -f "$(type -P cat)")" "$root/usr/bin/cat"
ldd "$BUILD/fileward" "$root/usr/bin/cat" | grep -o '/[^ ]*' | grep -v ':$' | sort -u |
    while read -r library; do
        mkdir -p "$root${library%/*}"
        [ -e "$root$library" ] || cp -L "$library" "$root$library"
    done
echo "root:x:0:0::/:/bin/sh" >"$root/etc/passwd"
echo "root:x:0:" >"$root/etc/group"
echo secret >"$root/etc/secret"
mknod -m 666 "$root/dev/null" c 1 3
mount -t proc proc "$root/proc" || fail "cannot mount /proc in the chroot"
# The same names inside as outside, so that the tests' tools serve both; its policy lies in its own /etc.
assert mount --bind "$T" "$root$T"
assert mount --bind "$root/etc/fileward" "$T/conf"
assert mount --bind "$root/etc/fileward" "$root$T/conf"
cat >"$T/chrooted" <<END
#!/bin/sh
exec chroot $root /usr/sbin/fileward "\$@"
END
chmod 755 "$T/chrooted"
FILEWARD=$T/chrooted
rm -rf "$T/guarded"
mkdir "$T/guarded"

chroot_watches() {
    cat <<END
[watch usr]
path = /usr
default = deny
[watch etc]
path = /etc
default = deny
guard = open+read
$*
END
}

begin audit < <(chroot_watches)
exercise "chroot, audit" /etc/fileward/fileward.ini /usr/sbin/fileward
assert_equal "$(limited chroot "$root" /usr/bin/cat /etc/secret)" secret "what cat reads without a guard"

begin enforce < <(chroot_watches "[rule usr/all]
action = allow
op = read exec list
[rule etc/fileward]
action = allow
exe = /usr/sbin/fileward")
exercise "chroot, enforce" /etc/fileward/fileward.ini /usr/sbin/fileward
start
expect_eperm chroot "$root" /usr/bin/cat /etc/secret
expect_eperm cat "$root/etc/secret"
expect_eperm cp /dev/null "$root/usr/bin/cat"
expect_ok cat "$root/usr/bin/cat"
stop
