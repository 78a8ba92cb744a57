# promise: code that runs under another program's name fails `code = intact`: injected, from memory, by a forged link
. tests/system/lib.sh
setup
need dpkg-query
victim=$(realpath "$(command -v sleep)") # with a merged /usr the package may list it as /bin/sleep
dpkg-query -S "$victim" >/dev/null 2>&1 || dpkg-query -S "${victim#/usr}" >/dev/null 2>&1 || skip "$victim is no package's"
mkdir "$T/named"
chmod 755 "$T"
cp "$BUILD/tests/impostor" "$T/impostor"
for file in free named/file guarded/file; do
    echo secret >"$T/$file"
done
impostor() {
    limited "$T/impostor" "$1" "$victim" "$2"
}
user_impostor() {
    as_user 1234 "$T/impostor" "$1" "$victim" "$2"
}

guard <<END
[watch named]
path = $T/named
default = deny
[rule named/exe]
action = allow
exe = $victim

[watch w]
path = $T/guarded
default = deny
[rule w/intact]
action = allow
exe = $victim
trust = packaged
code = intact
END
refused=0
for who in impostor user_impostor; do
    for how in inject attach forge memfd; do
        # The sanitizers' runtime does not live through the forging.
        [ $how != forge ] || ! is_sanitized || continue
        # The trick works where nobody asks.
        $who $how "$T/free" >"$T/said" 2>&1
        status=$?
        if [ $status = 3 ]; then
            echo "$who: $how does not work here: $(cat "$T/said")"
            continue
        fi
        assert_equal $status 0 "$who $how, not guarded"
        # A rule that asks for the name alone is fooled by all but the one that has no inode of the program's.
        [ $how = memfd ] || expect_status 0 $who $how "$T/named/file"
        expect_status 1 $who $how "$T/guarded/file"
        refused=$((refused + 1))
    done
    # No rule is meant for the impostor itself, whatever it has mapped.
    expect_status 1 $who here "$T/guarded/file"
    expect_status 1 $who map "$T/guarded/file"
done
[ $refused -ge 2 ] || fail "hardly a trick works here"
record_has '.watch == "w" and .verdict == "deny" and (.subject.flags | index("foreign-code"))'
record_has '.watch == "w" and .verdict == "deny" and (.subject.flags | index("memfd"))'
echo "$refused tricks refused"
