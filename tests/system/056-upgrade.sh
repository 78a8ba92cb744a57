# promise: a program upgraded by dpkg stays the program: the new one at once, the old one as long as it runs, also over a reload and deaths; nothing else becomes it meanwhile
. tests/system/lib.sh
setup
need dpkg dpkg-deb
root=$T/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$T/bin" "$T/guarded"/{name,link,glob}
: >"$root/var/lib/dpkg/status"
: >"$root/var/lib/dpkg/available"
for watch in name link glob; do
    echo x >"$T/guarded/$watch/file"
done

# A package of two programs, each version of other content.
install_version() {
    rm -rf "$T/package"
    mkdir -p "$T/package/DEBIAN" "$T/package/usr/bin"
    printf 'Package: tools\nVersion: %s\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' "$1" \
        >"$T/package/DEBIAN/control"
    cp "$BUILD/tests/opener" "$T/package/usr/bin/tool"
    cp "$BUILD/tests/shifter" "$T/package/usr/bin/agent"
    echo "$1" >>"$T/package/usr/bin/tool"
    echo "$1" >>"$T/package/usr/bin/agent"
    if ! { dpkg-deb --root-owner-group -b "$T/package" "$T/package.deb" &&
        dpkg --root="$root" --log="$T/dpkg.log" -i "$T/package.deb"; } >"$T/dpkg.said" 2>&1; then
        fail "dpkg: $(cat "$T/dpkg.said")"
    fi
}
install_version 1
tool=$root/usr/bin/tool
ln -s "$root/usr/bin/tool" "$T/bin/a-tool"
ln -s "$root/usr/bin/agent" "$T/bin/an-agent"
cp "$BUILD/tests/opener" "$T/impostor"

rule() {
    printf '[watch %s]\npath = %s\ndefault = deny\n[rule %s/allow]\naction = allow\nexe = %s\n' "$1" "$T/guarded/$1" "$1" "$2"
}
{
    rule name "$root/usr/bin/tool $root/usr/bin/agent"
    rule link "$T/bin/a-tool $T/bin/an-agent"
    rule glob "$root/usr/bin/[ta]*"
} | policy
start

coproc AGENT { exec timeout -s KILL 110 "$root/usr/bin/agent"; }
agent_opens() {
    local watch answer
    for watch in name link glob; do
        echo "open $T/guarded/$watch/file" >&"${AGENT[1]}"
        IFS= read -r -t "$COMMAND_SECONDS" answer <&"${AGENT[0]}" || fail "no answer"
        [ "$answer" = ok ] || fail "$1: the agent that ran before is refused in watch $watch: $answer"
    done
}
agent_opens "before the upgrade"

# --- upgrades, while all of it is used ---------------------------------------------------------------------------------

# use PROGRAM LOG: opens all the time, until $T/enough is there.
use() {
    local watch
    until [ -e "$T/enough" ]; do
        for watch in name link glob; do
            if timeout -s KILL "$COMMAND_SECONDS" "$1" read "$T/guarded/$watch/file" >/dev/null 2>&1; then
                echo ok
            else
                echo refused
            fi
        done
    done >"$2"
}
use "$T/impostor" "$T/impostor.log" &
impostor=$!
use "$tool" "$T/tool.log" &
user=$!
for version in {2..16}; do
    install_version "$version"
    for watch in name link glob; do
        expect_ok "$tool" read "$T/guarded/$watch/file"
    done
    agent_opens "after upgrade $version"
done
: >"$T/enough"
wait "$impostor" "$user"
! grep -q ok "$T/impostor.log" || fail "the impostor was let in"
[ "$(grep -c refused "$T/impostor.log")" -gt 10 ] || fail "the impostor hardly tried: $(sort "$T/impostor.log" | uniq -c)"
[ "$(grep -c ok "$T/tool.log")" -gt 10 ] || fail "the tool was hardly used: $(sort "$T/tool.log" | uniq -c)"

# --- the old one, whose file is gone, is what it was for every judge that comes ----------------------------------------------

expect_ok "$FILEWARD" reload -c "$T/conf/fileward.ini"
agent_opens "after a reload"
kill -KILL "$(role_pid judge)"
agent_opens "after a judge's death"
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null
start
agent_opens "after a keeper's death"

# What it is not: a deleted program that only came to have the name afterwards.
agent=$AGENT_PID # the shell forgets it when it has ended
kill -KILL "$agent"
wait "$agent" 2>/dev/null
cp "$BUILD/tests/shifter" "$T/other"
coproc OTHER { exec "$T/other"; }
echo "open $T/guarded/name/file" >&"${OTHER[1]}"
IFS= read -r -t "$COMMAND_SECONDS" answer <&"${OTHER[0]}"
[ "$answer" = "Operation not permitted" ] || fail "another program: $answer"
rm "$root/usr/bin/agent"
mv "$T/other" "$T/agent"
ln "$T/agent" "$T/kept"
rm "$T/agent"
rm "$T/kept"
echo "open $T/guarded/glob/file" >&"${OTHER[1]}"
IFS= read -r -t "$COMMAND_SECONDS" answer <&"${OTHER[0]}"
[ "$answer" = "Operation not permitted" ] || fail "a deleted program that never was the agent: $answer"
record_has '.verdict == "deny" and .watch == "glob" and .subject.flags == ["deleted"]'
kill -KILL "$OTHER_PID"
exit 0
