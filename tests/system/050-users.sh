# promise: what a user can write, root does not follow: links, foreign files and mounts in a home are left out, and recorded
. tests/system/lib.sh
setup
mkdir "$T/homes" "$T/elsewhere" "$T/mounted"
echo x >"$T/elsewhere/file"
echo x >"$T/mounted/file"
home() { # NAME UID
    mkdir "$T/homes/$1"
    echo "$1:x:$2:$2::$T/homes/$1:/bin/sh" >>"$T/passwd"
}
echo "root:x:0:0::$T/homes/root:/bin/sh" >"$T/passwd"
home root 0
home linker 1001
ln -s / "$T/homes/linker/.ssh"
home files 1002
mkdir -p "$T/homes/files/.ssh/real"
echo key >"$T/homes/files/.ssh/id"
ln -s "$T/elsewhere" "$T/homes/files/.ssh/link"
ln -s "$T/elsewhere/file" "$T/homes/files/.ssh/config"
mkfifo "$T/homes/files/.ssh/fifo"
mkdir "$T/homes/files/.ssh/mnt"
home filelink 1003
mkdir "$T/homes/filelink/d"
ln -s d "$T/homes/filelink/.ssh"
chown -R -h 1001 "$T/homes/linker"
chown -R -h 1002 "$T/homes/files"
chown -R -h 1003 "$T/homes/filelink"
mount --bind "$T/mounted" "$T/homes/files/.ssh/mnt"
chown 1002 "$T/mounted"
ln "$T/elsewhere/file" "$T/homes/files/.ssh/foreign"
mount --bind "$T/passwd" /etc/passwd

guard <<END
[watch ssh]
path = ~/.ssh
default = deny
END
expect_eperm cat "$T/homes/files/.ssh/id"

# 1 of each that cannot be taken in: record, and count.
unguarded() { # PATH REASON
    record_has '.kind == "unguarded" and .watch == "ssh" and .path == "'"$1"'" and (.reason | test("'"$2"'"))'
}
unguarded "$T/homes/linker/.ssh" "symbolic link"
unguarded "$T/homes/filelink/.ssh" "symbolic link"
unguarded "$T/homes/files/.ssh/foreign" "another user"
unguarded "$T/homes/files/.ssh/mnt" "mount"
assert_equal "$(metric 'fileward_unguarded{watch="ssh"}')" 4 "left out"
# Not one mark elsewhere: nobody is asked there, and nothing waits.
assert_equal "$(metric 'fileward_marks{watch="ssh"}')" 3 "marks: .ssh, id, real"
for file in "$T/elsewhere/file" "$T/mounted/file" /etc/passwd; do
    expect_ok cat "$file"
done
expect_ok ls "$T/elsewhere" "$T/mounted" /
assert_equal "$(record_count '.kind == "access" and (.object.path | endswith("/id") | not)')" 0 "questions elsewhere"

# The scout opened no FIFO, and neither does a user's open of one ask or hang on us.
timeout -s KILL 5 sh -c "echo through >'$T/homes/files/.ssh/fifo'" &
assert_equal "$(timeout -s KILL 5 cat "$T/homes/files/.ssh/fifo")" through "the FIFO"

# In a directory where others can write: the same.
stop
mkdir -m 1777 "$T/guarded/tmp"
echo x >"$T/guarded/tmp/root"
echo x >"$T/guarded/tmp/user"
chown 1001 "$T/guarded/tmp/user"
ln -s "$T/elsewhere" "$T/guarded/tmp/link"
guard <<END
[watch w]
path = $T/guarded
default = deny
END
expect_eperm cat "$T/guarded/tmp/root"
expect_ok cat "$T/elsewhere/file"
record_has '.kind == "unguarded" and (.path | endswith("/tmp/user"))'
