# promise: key mode: the master switch in audit wins over every watch; a watch may be audited while others enforce
. tests/system/lib.sh
setup
mkdir "$T/guarded/a" "$T/guarded/e" "$T/guarded/u"
for dir in a e u; do
    echo x >"$T/guarded/$dir/file"
done

# with MASTER: the same three watches below that master switch. No MASTER: the key is not there, which means audit.
with() {
    guard "mode = ${1:-}" <<END
[watch a]
path = $T/guarded/a
default = deny
mode = audit
[watch e]
path = $T/guarded/e
default = deny
mode = enforce
[watch u]
path = $T/guarded/u
default = deny
END
}

with enforce
expect_ok cat "$T/guarded/a/file"
expect_eperm cat "$T/guarded/e/file"
expect_eperm cat "$T/guarded/u/file"
record_has '.watch == "a" and .mode == "audit" and .decision == "deny" and .verdict == "allow"'
record_has '.watch == "e" and .mode == "enforce" and .decision == "deny" and .verdict == "deny"'
record_has '.watch == "u" and .mode == "enforce" and .decision == "deny" and .verdict == "deny"'
assert_equal "$(metric 'fileward_mode{watch="a",mode="audit"}') $(metric 'fileward_mode{watch="a",mode="enforce"}')" "1 0"
assert_equal "$(metric 'fileward_mode{watch="e",mode="audit"}') $(metric 'fileward_mode{watch="e",mode="enforce"}')" "0 1"
assert_equal "$(metric 'fileward_mode{watch="u",mode="enforce"}')" 1
grep -q 'mode enforce$' "$T/stderr" || fail "the mode is not announced"

for master in audit ""; do
    with $master
    for dir in a e u; do
        expect_ok cat "$T/guarded/$dir/file"
        record_has '.watch == "'$dir'" and .mode == "audit" and .decision == "deny" and .verdict == "allow"'
        assert_equal "$(metric "fileward_mode{watch=\"$dir\",mode=\"audit\"}")" 1 "audit of $dir"
    done
    grep -q 'mode audit$' "$T/stderr" || fail "the mode is not announced"
done
