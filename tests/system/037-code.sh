# promise: condition code: preloaded, injected and forged code fails it; without a clerk on_timeout decides, never late
. tests/system/lib.sh
setup
need cc strace
file=$T/guarded/file
echo secret >"$file"
program=$(realpath "$(command -v cat)")
chmod 755 "$T" # for users
cc -shared -fPIC -o "$T/preload.so" -x c - <<<'int fileward_test(void) { return 1; }' || fail "cannot build a library"

guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/intact]
action = allow
exe = $program
trust = packaged
code = intact
END
expect_ok "$program" "$file"
expect_eperm env LD_PRELOAD="$T/preload.so" "$program" "$file"
record_has '.verdict == "deny" and (.subject.flags | index("foreign-code"))'
expect_ok as_user 1234 "$program" "$file"
expect_eperm as_user 1234 env LD_PRELOAD="$T/preload.so" "$program" "$file"
# It is asked anew each time: the same program, now one way and now the other.
for _ in {1..10}; do
    expect_ok "$program" "$file"
    expect_eperm env LD_PRELOAD="$T/preload.so" "$program" "$file"
done
expect_status 0 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path "$file" --exe "$program"
mkfifo "$T/fifo"
(LD_PRELOAD="$T/preload.so" exec "$program" "$T/fifo") &
preloaded=$!
is_program() { [ "$(readlink "/proc/$preloaded/exe")" = "$program" ] && grep -q preload "/proc/$preloaded/maps"; }
until_true 5 is_program || fail "the preloaded program does not run"
expect_status 5 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path "$file" --pid "$preloaded"
assert grep -q 'code: .*preload.so' <<<"$OUTPUT"
kill -KILL "$preloaded"

# Many at once: each gets an answer of its own.
for i in {1..40}; do
    if ((i % 2)); then
        timeout -s KILL 10 "$program" "$file" >"$T/many.$i" 2>&1 &
    else
        LD_PRELOAD="$T/preload.so" timeout -s KILL 10 "$program" "$file" >"$T/many.$i" 2>&1 &
    fi
done
# shellcheck disable=SC2046 # numbers
wait $(jobs -p | grep -vx "$DAEMON")
for i in {1..40}; do
    if ((i % 2)); then
        assert grep -q secret "$T/many.$i"
    else
        assert grep -q 'not permitted' "$T/many.$i"
    fi
done

# Who has much code to be read keeps nobody waiting: 1,000 files that the clerk does not know, of some gigabytes.
cat >"$T/mapper.c" <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char name[4096];
    while (scanf("%4095s", name) == 1) {
        int fd = open(name, O_RDONLY);
        if (fd >= 0)
            mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
        close(fd);
    }
    for (puts("mapped"), fflush(stdout);;)
        close(open(argv[argc - 1], O_RDONLY));
}
END
cc -o "$T/mapper" "$T/mapper.c" || fail "cannot build a program"
mkdir "$T/guarded/other"
echo secret >"$T/guarded/other/file"
guard "timeout = 2s" <<END
[watch w]
path = $file
default = deny
[rule w/intact]
action = allow
exe = $program
code = intact
[watch other]
path = $T/guarded/other
default = deny
[rule other/intact]
action = allow
code = intact
END
expect_ok "$program" "$file"
find /usr/lib /usr/bin -xdev -type f -size +200k -printf '%s %p\n' | sort -rn | sed -n '1,1000s/^[0-9]* //p' >"$T/files"
timeout -s KILL 60 "$T/mapper" "$T/guarded/other/file" <"$T/files" >"$T/mapped" &
mapper=$!
until_true 10 grep -q mapped "$T/mapped" || fail "the mapper does not run"
for _ in {1..20}; do
    expect_ok "$program" "$file"
done
is_gone "$mapper" && fail "the mapper has ended"
kill "$mapper" # and with it what it started
# Nor is he kept waiting for good by others who never stop asking, though each look at him begins anew.
libc=$(awk '/libc[.-]/ { print $6; exit }' /proc/self/maps)
yes "$libc" | head -n 4000 >"$T/files"
asks() { while :; do "$program" "$file"; done; }
export program file
others=()
for i in 1 2 3 4; do
    timeout -s KILL 60 setpriv --reuid 1235 --regid 1235 --clear-groups bash -c "$(declare -f asks); asks" >/dev/null 2>&1 &
    others+=($!)
done
timeout -s KILL 60 setpriv --reuid 1234 --regid 1234 --clear-groups "$T/mapper" "$T/guarded/other/file" \
    <"$T/files" >"$T/mapped" &
mapper=$!
is_decided() { [ "$(decided other other/intact any allow allow)" -gt 20 ]; }
until_true 20 is_decided || fail "much code is never looked at to its end"
kill "$mapper" "${others[@]}"
all_are_gone() { local p; for p in "$mapper" "${others[@]}"; do is_gone "$p" || return 1; done; }
until_true 5 all_are_gone || fail "they do not end"

# A crowd of one user, whose library is never at rest, does not keep others from what is theirs.
cat >"$T/crowd.c" <<'END'
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static void *opens(void *file)
{
    for (;;)
        close(open(file, O_RDONLY));
}
__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, opens, getenv("CROWD_FILE"));
    for (int i = 0;; i++) {
        chmod(getenv("LD_PRELOAD"), i % 2 ? 0755 : 0700);
        usleep(1000);
    }
}
END
mkdir "$T/theirs"
cc -shared -fPIC -o "$T/theirs/crowd.so" "$T/crowd.c" -lpthread || fail "cannot build a library"
chown -R 1234:1234 "$T/theirs"
guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/intact]
action = allow
exe = $program $T/hammer
code = intact
END
cp "$BUILD/tests/hammer" "$T/hammer"
mkfifo -m 666 "$T/pipe"
timeout -s KILL 60 setpriv --reuid 1234 --regid 1234 --clear-groups \
    env LD_PRELOAD="$T/theirs/crowd.so" CROWD_FILE="$file" "$program" "$T/pipe" >/dev/null 2>&1 &
crowd=$!
record_has '.subject.uid == 1234 and .verdict == "deny" and (.subject.flags | index("foreign-code"))'
expect_ok "$T/hammer" -s 2 "$file"
late=.ebusy
is_sanitized && late=0 # they are too slow to keep none waiting
jq -e ".eperm + $late + .other == 0 and .ok > 100" <<<"$OUTPUT" >/dev/null || fail "a crowd keeps others out: $OUTPUT"
is_gone "$crowd" && fail "the crowd has ended"
kill "$crowd" # and with it what it started

# A program of one's own, which changes its own code, or makes some.
cat >"$T/own.c" <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int how = argc > 2 ? argv[2][0] : 0;
    if (how == 'a') /* anonymous */
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (how == 'm') { /* modified, through what a debugger uses */
        int fd = open("/proc/self/mem", O_RDWR);
        char byte;
        if (pread(fd, &byte, 1, (off_t)(size_t)main) != 1 || pwrite(fd, &byte, 1, (off_t)(size_t)main) != 1)
            return 3;
    }
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0)
        perror(argv[1]);
    return fd < 0;
}
END
cp "$BUILD/tests/hammer" "$T/hammer"
cc -o "$T/own" "$T/own.c" || fail "cannot build a program"
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/intact]
action = allow
exe = $T/own $T/hammer
code = intact
END
expect_ok "$T/own" "$file"
expect_eperm "$T/own" "$file" anonymous
expect_eperm "$T/own" "$file" modified
expect_eperm env LD_PRELOAD="$T/preload.so" "$T/own" "$file"
expect_ok "$T/own" "$file"
expect_eperm strace -o /dev/null "$T/own" "$file"

guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/intact]
action = allow
exe = $T/own $T/hammer
code = intact
END
no_foreign_code() { ! limited "$T/own" "$file" anonymous >/dev/null 2>&1; }
allowed() { limited "$T/own" "$file" >/dev/null 2>&1; }
# The clerk may hang or die: who asks is answered by on_timeout, in time, and later by the rules again.
clerk=$(role_pid clerk)
kill -STOP "$clerk"
expect_busy "$T/own" "$file"
record_has '.kind == "timeout"'
# crowd EXPRESSION: two hundred who open for a second, each waits at most 300 ms; what came of it.
crowd() {
    local hammers=() i
    for ((i = 0; i < 200; i++)); do
        timeout -s KILL 30 "$T/hammer" -s 1 "$file" >"$T/said.$i" &
        hammers+=($!)
    done
    wait "${hammers[@]}"
    jq -es 'length == 200 and all(.worst_us < '$((300000 * SLOWNESS))') and ('"$1"')' "$T"/said.* >/dev/null ||
        fail "not so: $1: $(jq -sc 'max_by(.worst_us)' "$T"/said.*)"
}
crowd 'all(.ok == 0 and .eperm == 0 and .ebusy > 0)'
assert_equal "$(metric fileward_rescues_total)" 0 "rescues"
# Those whom no rule sends to the clerk do not notice.
expect_eperm "$program" "$file"
kill -CONT "$clerk"
until_true 5 allowed || fail "nobody is allowed after the clerk goes on"
crowd 'all(.eperm == 0) and any(.ok > 0)'
kill -KILL "$clerk"
another() { local now && now=$(role_pid clerk) && [ "$now" != "$clerk" ]; }
until_true 5 another || fail "the clerk does not come back"
until_true 5 allowed || fail "nobody is allowed after the clerk has come back"
assert_equal "$(role_pid judge | wc -l)" 1
# One that hangs for long is replaced.
clerk=$(role_pid clerk)
kill -STOP "$clerk"
until_true 20 another || fail "a clerk that hangs is not replaced"
until_true 5 allowed || fail "nobody is allowed after it"

# After a reload, and after the judge's death, there is somebody to ask.
kill -HUP "$DAEMON"
reloaded() { grep -q '^fileward: reloaded' "$T/stderr"; }
until_true 10 reloaded || fail "not reloaded"
until_true 5 allowed || fail "nobody is allowed after it"
assert no_foreign_code
kill -KILL "$(role_pid judge)"
until_true 5 allowed || fail "nobody is allowed after the judge's death"
assert no_foreign_code
is_only_one() { [ "$(pgrep -c --parent "$DAEMON" --exact fileward-clerk)" = 1 ]; }
until_true 5 is_only_one || fail "there is more than one clerk"
# When the keeper and the judge are gone, so is the clerk.
clerk=$(role_pid clerk)
stop
until_true 5 is_gone "$clerk" || fail "the clerk stays"
