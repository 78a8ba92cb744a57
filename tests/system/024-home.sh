# promise: ~ is the home of root and of each user in /etc/passwd, where it is theirs; nobody else's
. tests/system/lib.sh
setup
mkdir "$T/homes"
# home NAME UID OWNER
home() {
    mkdir -p "$T/homes/$1/.ssh"
    echo key >"$T/homes/$1/.ssh/id"
    echo text >"$T/homes/$1/text"
    chown -R "$3" "$T/homes/$1"
    chmod 755 "$T/homes/$1" "$T/homes/$1/.ssh"
    echo "$1:x:$2:$2::$T/homes/$1:/bin/sh"
}
{
    echo "root:x:0:0:root:$T/homes/root:/bin/bash"
    home root 0 0 >&2
    home alice 1000 1000
    home bob 1001 1001
    home service 200 200
    home stolen 1002 1000
    home nobody 65534 65534
    echo "slash:x:1003:1003::/:/bin/sh"
    echo "none:x:1004:1004::$T/homes/none:/bin/sh"
    echo "+::::::"
    home last 60000 60000
} >"$T/passwd" 2>/dev/null
printf 'UID_MIN 1000\nUID_MAX 60000\n' >"$T/login.defs"
mount --bind "$T/passwd" /etc/passwd
if [ -e /etc/login.defs ]; then
    mount --bind "$T/login.defs" /etc/login.defs
fi

guard <<END
[watch ssh]
path = ~/.ssh
exclude = ~/.ssh/known_hosts
default = deny
[rule ssh/owner]
action = allow
uid = owner
path = ~/.ssh/i?
END

for name in alice bob last; do
    uid=$(stat -c %u "$T/homes/$name")
    expect_eperm cat "$T/homes/$name/.ssh/id"
    record_has '.object.path == "'"$T/homes/$name"'/.ssh/id" and .verdict == "deny" and .subject.uid == 0'
    expect_ok as_user "$uid" cat "$T/homes/$name/.ssh/id"
    expect_ok as_user "$uid" sh -c "echo >'$T/homes/$name/.ssh/known_hosts'"
    expect_eperm as_user "$uid" cp /etc/passwd "$T/homes/$name/.ssh/other"
    expect_ok cat "$T/homes/$name/text"
done
expect_eperm as_user 1000 cat "$T/homes/bob/.ssh/id"
expect_eperm as_user 1000 cat "$T/homes/root/.ssh/id"
expect_ok cat "$T/homes/root/.ssh/id"
for name in service stolen nobody; do
    expect_ok cat "$T/homes/$name/.ssh/id"
done
metric_becomes 'fileward_marks{watch="ssh"}' 11 # four directories, what was in them, and three files that have come
