# promise: conditions uid, gid, egid, loginuid: numbers, names, ranges, the owner; what the kernel checks with counts
. tests/system/lib.sh
setup
rules="uid gid egid loginuid owner range name"
for rule in $rules; do
    mkdir "$T/guarded/$rule"
    echo x >"$T/guarded/$rule/file"
done
chown 1234 "$T/guarded/owner/file"
cp /bin/cat "$T/setgid"
chown 0:4242 "$T/setgid"
chmod 2755 "$T/setgid"
cp /etc/passwd "$T/passwd"
cp /etc/group "$T/group"
echo 'fwtest-user:x:2345:2345::/nonexistent:/bin/sh' >>"$T/passwd"
echo 'fwtest-group:x:3456:' >>"$T/group"
mount --bind "$T/passwd" /etc/passwd
mount --bind "$T/group" /etc/group

{
    for rule in $rules; do
        echo "[watch $rule]"
        echo "path = $T/guarded/$rule"
        echo "default = deny"
        echo "log = all"
        echo "[rule $rule/allow]"
        echo "action = allow"
        case $rule in
        uid) echo "uid = 1111 2222" ;;
        gid) echo "gid = 3333 fwtest-group 60000" ;;
        egid) echo "egid = 4242" ;;
        loginuid) echo "loginuid = 1000-1999" ;;
        owner) echo "uid = owner" ;;
        range) echo "uid = 5000-5002" ;;
        name) echo "uid = fwtest-user" ;;
        esac
    done
} >"$T/policy"
guard <"$T/policy"

# as IDS... -- RULE: reads that watch's file.
as() {
    local ids=()
    while [ "$1" != -- ]; do
        ids+=("$1")
        shift
    done
    timeout -s KILL "$COMMAND_SECONDS" setpriv "${ids[@]}" cat "$T/guarded/$2/file"
}
# The kernel checks with the effective one (as the file-system uid), whoever it really is.
expect_ok as --euid 1111 -- uid
record_has '.watch == "uid" and .subject.uid == 1111 and .subject.ruid == 0 and .verdict == "allow"'
expect_ok as --reuid 1111 --clear-groups -- uid
expect_ok as --reuid 2222 --clear-groups -- uid
expect_eperm as --reuid 1112 --clear-groups -- uid
expect_eperm as -- uid
expect_eperm as --ruid 1111 -- uid
expect_ok "$BUILD/tests/opener" thread 1111 "$T/guarded/uid/file"
expect_eperm "$BUILD/tests/opener" thread 1112 "$T/guarded/uid/file"

expect_ok as --reuid 1 --regid 3333 --clear-groups -- gid
expect_ok as --reuid 2 --regid 3456 --clear-groups -- gid
expect_ok as --reuid 1 --regid 1 --groups 7,3333,9 -- gid
expect_eperm as --reuid 1 --regid 1 --groups 7,9 -- gid
record_has '.watch == "gid" and .subject.gid == 3456 and .verdict == "allow"'

# Only the program's own group bit gives the effective gid; that a user is in the group does not.
expect_ok as_user 1111 "$T/setgid" "$T/guarded/egid/file"
record_has '.watch == "egid" and .subject.egid == 4242 and .verdict == "allow"'
expect_eperm as_user 1111 cat "$T/guarded/egid/file"
expect_eperm as --reuid 1 --regid 1 --groups 4242 -- egid

expect_ok as --reuid 1234 --clear-groups -- owner
expect_eperm as --reuid 1235 --clear-groups -- owner
expect_eperm as -- owner
chown 1235 "$T/guarded/owner/file"
expect_ok as --reuid 1235 --clear-groups -- owner

for uid in 5000 5001 5002; do
    expect_ok as --reuid $uid --clear-groups -- range
done
expect_eperm as --reuid 4999 --clear-groups -- range
expect_eperm as --reuid 5003 --clear-groups -- range
expect_ok as --reuid 2345 --clear-groups -- name
expect_eperm as --reuid 2346 --clear-groups -- name

# Groups that are too many to look at are not determined: no allow rule holds, every deny rule does.
many=$(seq -s, 10000 14000),60000
expect_eperm as --reuid 1 --regid 1 --groups "$many" -- gid
sed -i '/^\[watch gid\]/,/^\[watch egid\]/ { s/^default = deny/default = allow/; s/^action = allow/action = deny/ }' \
    "$T/conf/fileward.ini"
stop
start
expect_ok as --reuid 1 --regid 1 --groups 7,9 -- gid
expect_eperm as --reuid 1 --regid 1 --groups "$many" -- gid
expect_eperm as --reuid 1 --regid 1 --groups "$(seq -s, 10000 14000)" -- gid

# The login uid stays through sudo and su, whatever the process becomes. Nobody has it where nobody logged in.
login() {
    timeout -s KILL "$COMMAND_SECONDS" bash -c "echo $1 >/proc/self/loginuid && exec setpriv --reuid 7 --clear-groups \
        cat '$T/guarded/loginuid/file'"
}
expect_eperm as -- loginuid
bash -c "echo 1000 >/proc/self/loginuid" 2>/dev/null || skip "loginuid: cannot be set here (all other conditions hold)"
expect_ok login 1000
record_has '.watch == "loginuid" and .subject.loginuid == 1000 and .subject.uid == 7 and .verdict == "allow"'
expect_ok login 1999
expect_eperm login 2000
