# promise: file systems that never answer, in a home or below a watch, keep neither check nor start waiting; the rest is guarded
. tests/system/lib.sh
. tests/system/traps.sh
setup
not_sanitized "an overlay and its layers take long enough as it is"
mkdir -p "$T/homes" "$T/srv/dead" "$T/srv/lower" "$T/srv/merged" "$T/guarded/mnt" "$T/guarded/real" "$T/guarded/merged"
echo x >"$T/guarded/real/file"
echo x >"$T/srv/lower/file"
ln -s "$T/srv/dead" "$T/srv/link"
echo "root:x:0:0::$T/homes/root:/bin/sh" >"$T/passwd"
home() { # NAME UID [DIRECTORY BELOW ~/.ssh]
    mkdir -p "$T/homes/$1/.ssh/${3:-}"
    echo key >"$T/homes/$1/.ssh/id"
    chown -R "$2:$2" "$T/homes/$1"
    echo "$1:x:$2:$2::$T/homes/$1:/bin/sh" >>"$T/passwd"
}
home root 0
home whole 1001
home ssh 1002
home below 1003 sub
home fine 1004
# A home in the home of another.
mkdir "$T/homes/whole/guest"
echo "guest:x:1005:1005::$T/homes/whole/guest:/bin/sh" >>"$T/passwd"
mount --bind "$T/passwd" /etc/passwd

hung_mount "$T/homes/whole" -o -u 1001
hung_mount "$T/homes/ssh/.ssh" -o -u 1002
hung_mount "$T/homes/below/.ssh/sub" -o -u 1003
hung_mount "$T/srv/dead" -o
hung_mount "$T/guarded/mnt" -o
for merged in "$T/srv/merged" "$T/guarded/merged"; do
    mount -t overlay overlay -o "lowerdir=$T/srv/dead:$T/srv/lower" "$merged" || skip "no overlay over FUSE here"
done
for dir in "$T/homes/whole" "$T/homes/ssh/.ssh" "$T/homes/below/.ssh/sub" "$T/srv/dead" "$T/guarded/mnt"; do
    hang "$dir"
done
never_answers stat "$T/srv/merged/file" || fail "no trap: an overlay over a hung file system answers"

# What cannot be guarded is an error with its reason, by whatever name.
policy <<END
[watch w]
path    = $T/srv/dead/x $T/srv/link/x $T/srv/merged
default = deny
END
expect_status 3 "$FILEWARD" check -c "$T/conf/fileward.ini"
for place in dead/x dead/x merged; do
    [[ $OUTPUT == *"path: \`$T/srv/$place\` is on fuse.hungfs, which cannot be guarded: a process serves it"* ]] ||
        fail "check says: $OUTPUT"
done
assert_equal "$(grep -c "which cannot be guarded" <<<"$OUTPUT")" 3 "errors"

# What else a policy names there is left alone.
cat_policy() {
    cat <<END
[watch ssh]
path    = ~/.ssh
default = deny
[watch w]
path    = $T/guarded
exclude = $T/srv/dead/y $T/srv/link/y $T/guarded/mnt/x
default = deny
[rule w/there]
action = allow
path   = $T/srv/dead/z $T/guarded/mnt/x
exe    = $T/srv/dead/prog $T/srv/link/prog $T/srv/merged/prog
END
}
policy < <(cat_policy)
expect_ok "$FILEWARD" check -c "$T/conf/fileward.ini"
[[ $OUTPUT == *"program \`$T/srv/dead/prog\` is on fuse.hungfs, where no program is known"* ]] || fail "check says: $OUTPUT"
[[ $OUTPUT == *"the home $T/homes/whole of uid 1001 is not guarded: a process serves it"* ]] || fail "check says: $OUTPUT"
expect_status 5 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path "$T/guarded/real/file" --exe /bin/cat
guard < <(cat_policy)

for file in "$T/homes/below/.ssh/id" "$T/homes/fine/.ssh/id" "$T/homes/root/.ssh/id" "$T/guarded/real/file"; do
    expect_eperm cat "$file"
done
unguarded() { # WATCH PATH
    record_has '.kind == "unguarded" and .watch == "'"$1"'" and .path == "'"$2"'" and (.reason | test("a process serves it"))'
}
unguarded ssh "$T/homes/ssh/.ssh"
unguarded ssh "$T/homes/below/.ssh/sub"
unguarded w "$T/guarded/mnt"
unguarded w "$T/guarded/merged"
assert_equal "$(metric fileward_rescues_total)" 0 "rescues"
stop
release_all
