# promise: condition exe: a program is its inode: literal, glob, link and replacement; impostors and deleted ones are flagged
. tests/system/lib.sh
setup
file=$T/guarded/file
echo secret >"$file"
mkdir "$T/bin" "$T/lib" "$T/lib/deep"
for program in "$T/bin/literal" "$T/lib/glob" "$T/lib/deep/glob" "$T/evil"; do
    cp /bin/cat "$program"
done
ln -s literal "$T/bin/symlink"
ln "$T/bin/literal" "$T/hardlink"
cp /bin/bash "$T/bash"
chmod 755 "$T" # for users

guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/literal]
action = allow
exe = $T/bin/literal $T/bin/missing
[rule w/glob]
action = allow
exe = $T/lib/gl?b
END
denied_for() {
    record_has '.verdict == "deny" and .subject.exe == "'"$1"'" and .subject.flags == '"$2"
}

expect_ok "$T/bin/literal" "$file"
expect_ok "$T/bin/symlink" "$file"
expect_ok "$T/hardlink" "$file"
expect_ok "$T/lib/glob" "$file"
expect_eperm "$T/lib/deep/glob" "$file"
expect_eperm "$T/evil" "$file"
denied_for "$T/evil" '[]'
# Neither what a process calls itself nor a link with an allowed name makes it another program.
expect_eperm "$T/bash" -c "exec -a '$T/bin/literal' '$T/evil' '$file'"
ln -s "$T/evil" "$T/lib/glub"
expect_eperm "$T/lib/glub" "$file"

# A program that appears under the name, or replaces the one that was there, is the one meant from then on.
cp /bin/cat "$T/bin/missing"
until_true 3 "$T/bin/missing" "$file" >/dev/null 2>&1 || fail "a program that appeared is not known after 3 s"
cp /bin/cat "$T/bin/new"
mv "$T/bin/new" "$T/bin/literal"
expect_ok "$T/bin/literal" "$file"
no_more() {
    ! "$@" "$file" >/dev/null 2>&1
}
until_true 3 no_more "$T/hardlink" || fail "the program of before is still allowed after 3 s"

# Another program (each time another, for what is the same is told once) mounted over the name, in a mount namespace of its own: by root, and by anyone in a user namespace.
cp /bin/cat "$T/evil1"
cp /bin/cat "$T/evil2"
cp /bin/cat "$T/evil3"
expect_eperm unshare -m sh -c "mount --bind '$T/evil1' '$T/bin/literal' && exec '$T/bin/literal' '$file'"
denied_for "$T/bin/literal" '["impostor","foreign-namespace"]'
expect_eperm unshare -m sh -c "mount --bind '$T/evil2' '$T/lib/glob' && exec '$T/lib/glob' '$file'"
denied_for "$T/lib/glob" '["impostor","foreign-namespace"]'
if as_user 1000 unshare -Urm true 2>/dev/null; then
    expect_eperm as_user 1000 unshare -Urm \
        sh -c "mount --bind '$T/evil3' '$T/bin/literal' && exec '$T/bin/literal' '$file'"
    record_has '.verdict == "deny" and .subject.uid == 1000 and .subject.flags == ["impostor","foreign-namespace"]'
fi

# A program that was deleted has no name any more, and a name that says so is a name.
cp "$T/bash" "$T/gone"
expect_eperm "$T/gone" -c "rm '$T/gone'; exec 3<'$file'"
denied_for "$T/gone (deleted)" '["deleted"]'
cp /bin/cat "$T/there (deleted)"
expect_eperm "$T/there (deleted)" "$file"
denied_for "$T/there (deleted)" '[]'
