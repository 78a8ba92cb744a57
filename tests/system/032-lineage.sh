# promise: conditions parent, ancestor: the kernel's chain of parents, however deep; an orphan has lost it
. tests/system/lib.sh
setup
for name in parent ancestor deny; do
    mkdir "$T/guarded/$name"
    echo x >"$T/guarded/$name/file"
done
cp /bin/bash "$T/top"
cp /bin/bash "$T/between"

guard <<END
[watch parent]
path = $T/guarded/parent
default = deny
[rule parent/top]
action = allow
parent = $T/top
[watch ancestor]
path = $T/guarded/ancestor
default = deny
log = all
[rule ancestor/top]
action = allow
ancestor = $T/top
[watch deny]
path = $T/guarded/deny
default = allow
[rule deny/top]
action = deny
ancestor = $T/top
END

# below N COMMAND: runs it with N shells between it and the top.
below() {
    # shellcheck disable=SC2016 # the inner shells expand it
    DEPTH=$1 COMMAND=$2 BETWEEN=$T/between timeout -s KILL "$COMMAND_SECONDS" "$T/top" -c '
        export step='\''if [ "$DEPTH" = 0 ]; then $COMMAND; else DEPTH=$((DEPTH - 1)) "$BETWEEN" -c "$step"; fi; exit $?'\''
        eval "$step"'
}
expect_ok below 0 "cat $T/guarded/parent/file"
expect_eperm below 1 "cat $T/guarded/parent/file"
expect_eperm cat "$T/guarded/parent/file"
for depth in 0 1 7 29; do
    expect_ok below $depth "cat $T/guarded/ancestor/file"
    expect_eperm below $depth "cat $T/guarded/deny/file"
done
record_has '.watch == "deny" and .verdict == "deny" and (.subject.ancestors | length) > 1'
expect_eperm cat "$T/guarded/ancestor/file"
expect_ok cat "$T/guarded/deny/file"
# A chain that is longer than what is looked at is not determined: no allow rule holds, and a deny rule does.
expect_eperm below 40 "cat $T/guarded/ancestor/file"
expect_eperm below 40 "cat $T/guarded/deny/file"

# The child goes on when its parent has ended: nothing above it is what it was.
cat >"$T/orphan" <<END
while grep -q "^PPid:.\$1\$" /proc/\$\$/status; do sleep 0.01; done
timeout -s KILL 10 cat '$T/guarded/ancestor/file' >'$T/said' 2>&1
echo \$? >'$T/result'
END
orphan() {
    rm -f "$T/result"
    "$T/top" -c "'$T/between' '$T/orphan' \$\$ & :"
    until_true 10 test -s "$T/result" || fail "the orphan does not end"
    cat "$T/said"
    return "$(cat "$T/result")"
}
expect_eperm orphan
until_true 5 a_record_has '.watch == "ancestor" and .verdict == "deny" and .subject.ancestors[1].exe != "'"$T"'/top"' ||
    fail "no record of the orphan"

# So it does for those below who was asked about before the one above him ended.
cat >"$T/heir" <<END
timeout -s KILL 10 cat '$T/guarded/deny/file' >'$T/before' 2>&1
: >'$T/asked'
while grep -q "^PPid:.\$1\$" /proc/\$\$/status; do sleep 0.01; done
timeout -s KILL 10 cat '$T/guarded/deny/file' >'$T/said' 2>&1
echo \$? >'$T/result'
END
heir() {
    rm -f "$T/result" "$T/asked"
    "$T/top" -c "'$T/between' '$T/heir' \$\$ & until [ -e '$T/asked' ]; do sleep 0.01; done"
    until_true 10 test -s "$T/result" || fail "the heir does not end"
    assert grep -q 'not permitted' "$T/before"
    cat "$T/said"
    return "$(cat "$T/result")"
}
expect_ok heir
