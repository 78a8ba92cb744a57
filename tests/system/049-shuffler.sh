# promise: a user who moves a large tree to and fro does not keep the scout from what others make; his own is guarded in the end
. tests/system/lib.sh
setup
FILES=${FILES:-10000}
mkdir -p "$T/guarded/dir/his" "$T/guarded/dir/hers" "$T/out" "$T/tree"
chmod 755 "$T" "$T/guarded" "$T/guarded/dir"
seq -f "$T/tree/file-%g" "$FILES" | xargs touch
chown -R 1002 "$T/tree" "$T/guarded/dir/his"
chown 1003 "$T/guarded/dir/hers"
mv "$T/tree" "$T/guarded/dir/his/one"
guard <<END
[watch w]
path = $T/guarded/dir
default = deny
[rule w/owner]
action = allow
uid = owner
END
refused_by_mark() { # PATH: through a link elsewhere
    rm -f "$T/out/link"
    ln "$1" "$T/out/link"
    ! as_user 1000 cat "$T/out/link" >/dev/null 2>&1
}
cat >"$T/shuffle" <<'END'
cd "$1" || exit 1
end=$((SECONDS + $2))
while [ $SECONDS -lt $end ]; do
    mv one two
    mv two one
done
END
COMMAND_SECONDS=60 as_user 1002 bash "$T/shuffle" "$T/guarded/dir/his" 10 &
shuffler=$!
sleep 6
began=${EPOCHREALTIME/./}
expect_ok as_user 1003 mkdir "$T/guarded/dir/hers/new"
expect_ok as_user 1003 sh -c "echo x >'$T/guarded/dir/hers/new/file'"
until_true 5 refused_by_mark "$T/guarded/dir/hers/new/file" ||
    fail "a new directory is not marked while another user moves $FILES files to and fro"
echo "marked within $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
wait $shuffler || fail "the shuffler: $?"
rm "$T/out/link"
# What he has brought meanwhile is found by a look at everything.
expect_ok as_user 1002 mkdir -p "$T/guarded/dir/his/last/deep"
expect_ok as_user 1002 sh -c "echo x >'$T/guarded/dir/his/last/deep/file'"
until_true 60 refused_by_mark "$T/guarded/dir/his/last/deep/file" || fail "what the user made last is not guarded"
assert refused_by_mark "$T/guarded/dir/his/one/file-$FILES"
assert_equal "$(metric 'fileward_restarts_total{role="scout"}')" 0 "restarts"
