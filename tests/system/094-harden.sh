# promise: harden prints what gives a rule's programs a private group; with it neither preloaded code, ptrace, a forged program link nor a user namespace gets in
# shellcheck disable=SC2016 # $T in single quotes is jq's
. tests/system/lib.sh
setup
need groupadd strace "${CC:=cc}"
# The commands make a group: in a copy of /etc that only this test sees.
cp -a /etc "$T/etc"
mount --bind "$T/etc" /etc
mkdir "$T/bin"
cp /bin/cat "$T/bin/reader"
cp /bin/cat "$T/bin/it's \"one\""
cp /bin/dash "$T/bin/shell"
cp /bin/cat "$T/bin/theirs"
chown 1000 "$T/bin/theirs"
cp /bin/cat "$T/bin/setuid"
chmod 4755 "$T/bin/setuid"
cp /bin/cat "$T/bin/setgid"
chgrp 4242 "$T/bin/setgid"
chmod 2755 "$T/bin/setgid"
printf '#!/bin/sh\ncat "$@"\n' >"$T/bin/script"
chmod 755 "$T/bin/script"
mkdir "$T/dash"
cp /bin/dash "$T/dash/dash"
echo secret >"$T/guarded/file"
file=$T/guarded/file
chmod 755 "$T" "$T/guarded"

# Code of the user's own, to be loaded into a program that is allowed.
"$CC" -shared -fPIC -o "$T/preload.so" -x c - <<'END' || fail "cannot compile"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("INJECTED");
    int fd = open(path, O_RDONLY);
    if (fd >= 0)
        puts("code was injected and opened it");
    else
        perror("injected");
}
END
cp "$BUILD/tests/impostor" "$T/impostor"

the_rule() {
    cat <<END
[watch w]
path = $T/guarded
default = deny
log = all

# by its program
[rule w/Readers]
action = allow
exe = $T/bin/* $T/dash/dash $T/missing
uid = 1000   # one user's

# another
[rule w/other]
action = deny
END
}
guard < <(the_rule)
harden() {
    "$FILEWARD" harden -c "$T/conf/fileward.ini" "$@"
}

# --- as long as the program alone counts, its user gets in by any of these: each really works ---

injected() {
    as_user 1000 env LD_PRELOAD="$T/preload.so" INJECTED="$file" "$T/bin/reader" /dev/null
}
expect_ok as_user 1000 "$T/bin/reader" "$file"
[[ $(injected 2>&1) == *"injected and opened"* ]] || fail "the control: code that was not injected: $(injected 2>&1)"
expect_ok as_user 1000 strace -o /dev/null "$T/bin/reader" "$file"
namespaces=no
if as_user 1000 unshare -Ur true 2>/dev/null; then
    namespaces=yes
    expect_ok as_user 1000 unshare -Ur "$T/bin/reader" "$file"
fi
echo free >"$T/free"
tricks=
for how in inject attach forge; do
    if as_user 1000 "$T/impostor" $how "$T/bin/reader" "$T/free" >"$T/said" 2>&1; then
        tricks+=" $how"
        expect_ok as_user 1000 "$T/impostor" $how "$T/bin/reader" "$file"
    else
        echo "$how does not work here: $(cat "$T/said")"
    fi
done

# --- what is printed ---

expect_ok harden w/Readers
expect_ok harden w/Readers --json
printf '%s' "$OUTPUT" >"$T/plan.json"
plan() {
    jq -e --arg T "$T" "$1" "$T/plan.json" >/dev/null || fail "the plan: not so: $1: $(cat "$T/plan.json")"
}
plan '.rule == "w/Readers" and .group == "fw-w-readers" and .group_exists == false and .warnings == []'
plan '[.programs[] | select(.state == "harden") | .path] == [$T + "/bin/it'"'"'s \"one\"", $T + "/bin/reader", $T + "/bin/shell"]'
left() {
    plan '.programs[] | select(.path == $T + "/'"$1"'") | .state == "left" and (.why | test("'"$2"'"))'
}
left bin/theirs "belongs to a user"
left bin/setuid "setuid already"
left bin/setgid "setgid already, to gid 4242"
left bin/script "script"
left dash/dash "runs whatever"
left missing "No such file"
plan '[.commands[] | .[0]] == ["groupadd", "chgrp", "chmod", "chgrp", "chmod", "chgrp", "chmod"]'
plan '.rule_text == ["[rule w/Readers]", "action = allow", "exe = \($T)/bin/* \($T)/dash/dash \($T)/missing", "uid = 1000   # one user'"'"'s", "egid = fw-w-readers"]'
! getent group fw-w-readers >/dev/null || fail "it made the group itself"
expect_status 1 harden w/other
expect_status 1 harden w/nothing
[[ $OUTPUT == *w/Readers* ]] || fail "does not name the rules there are: $OUTPUT"
expect_status 2 harden w/Readers --group "a b"
expect_status 2 harden
# A name that no command should hold stands in none.
cp /bin/cat "$T/bin/"$'new\nline'
harden w/Readers >"$T/said"
! grep -q '^line' "$T/said" || fail "a name breaks out of its line: $(cat -v "$T/said")"
grep -q 'new\\nline: left as it is' "$T/said" || fail "$(cat "$T/said")"
rm "$T/bin/"$'new\nline'

# --- what is printed, run ---

harden w/Readers >"$T/commands" || fail "harden failed"
expect_ok sh -e "$T/commands"
assert_equal "$(stat -c '%a %G' "$T/bin/reader")" "2755 fw-w-readers"
assert_equal "$(stat -c '%a %G' "$T/bin/it's \"one\"")" "2755 fw-w-readers"
assert_equal "$(stat -c '%a' "$T/bin/script")" 755
assert_equal "$(stat -c '%a %u' "$T/bin/theirs")" "755 1000"
{
    sed -n '/^\[watch/,/^$/p' "$T/conf/fileward.ini"
    sed -n '/^# Then change/,/^#$/s/^#   //p' "$T/commands"
} >"$T/changed"
policy <"$T/changed"
expect_ok "$FILEWARD" reload -c "$T/conf/fileward.ini"
# Once more: nothing but what is so already.
expect_ok harden w/Readers --json
printf '%s' "$OUTPUT" >"$T/plan.json"
plan '.group_exists and ([.programs[] | select(.state == "done")] | length) == 3 and ([.commands[] | .[0]] | index("groupadd")) == null'

expect_ok as_user 1000 "$T/bin/reader" "$file"
record_has '.verdict == "allow" and .subject.egid == '"$(stat -c %g "$T/bin/reader")"' and .subject.exe == "'"$T"'/bin/reader"'
expect_eperm as_user 1000 "$T/bin/theirs" "$file"
expect_eperm as_user 1000 "$T/bin/setgid" "$file"
[[ $(injected 2>&1) != *injected* ]] || fail "preloaded code ran with the group: $(injected 2>&1)"
expect_eperm as_user 1000 strace -o /dev/null "$T/bin/reader" "$file"
[ $namespaces = no ] || expect_eperm as_user 1000 unshare -Ur "$T/bin/reader" "$file"
expect_eperm as_user 1000 setpriv --no-new-privs "$T/bin/reader" "$file"
for how in $tricks; do
    # The kernel does not even let a setgid program be traced with its group.
    expect_status 1 as_user 1000 "$T/impostor" "$how" "$T/bin/reader" "$file"
done
if [[ $tricks == *forge* ]]; then
    record_has '.verdict == "deny" and .subject.exe == "'"$T"'/bin/reader" and .subject.egid == 1000'
fi
# Nor can its user get into one that runs.
coproc READER { exec setpriv --reuid 1000 --regid 1000 --clear-groups "$T/bin/reader"; }
echo ready >&"${READER[1]}"
read -r -t 5 <&"${READER[0]}" || fail "the reader does not run"
! as_user 1000 strace -o /dev/null -p "$READER_PID" 2>"$T/said" || fail "it can be traced"
grep -q 'not permitted' "$T/said" || fail "$(cat "$T/said")"
kill -KILL "$READER_PID"
# What it starts keeps the group, and is still another program.
expect_eperm as_user 1000 "$T/bin/shell" -c "cat '$file'"
# What SECURITY.md says is open: a program that starts what its user names hands him the group, and the link he forges.
if [[ $tricks == *forge* ]]; then
    cp /usr/bin/env "$T/bin/starter"
    chgrp fw-w-readers "$T/bin/starter"
    chmod 2755 "$T/bin/starter"
    expect_ok as_user 1000 "$T/bin/starter" "$T/impostor" forge "$T/bin/reader" "$file"
fi

# --- a program of a package keeps the group over upgrades; a package may have it under its name before /usr was merged ---

need dpkg-statoverride ssh-keygen
policy <<END
[watch w]
path = $T/guarded
default = deny
[rule w/packaged]
action = allow
exe = /usr/bin/ssh-keygen /usr/bin/cat
END
mkdir -p "$T/dpkg"
: >"$T/dpkg/statoverride"
harden w/packaged >"$T/commands" || fail "harden failed"
grep '^dpkg-statoverride' "$T/commands" | sed "s|^dpkg-statoverride|& --admindir '$T/dpkg'|" >"$T/overrides"
sed -n '/^groupadd/p' "$T/commands" | cat - "$T/overrides" >"$T/some"
expect_ok sh -e "$T/some"
expect_ok sh -e "$T/overrides"
for program in ssh-keygen cat; do
    name=$(dpkg-query -S "/usr/bin/$program" "/bin/$program" 2>/dev/null | sed -n 's/.*: //p')
    grep -q "^root fw-w-packaged 2755 $name\$" "$T/dpkg/statoverride" || fail "$name: $(cat "$T/dpkg/statoverride")"
done
exit 0
