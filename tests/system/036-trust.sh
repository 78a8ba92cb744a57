# promise: condition trust: a program is an installed package's, unchanged; a copy, a changed one and a link elsewhere are not
. tests/system/lib.sh
setup
need dpkg-query
file=$T/guarded/file
echo secret >"$file"
program=$(realpath "$(command -v cat)") # with a merged /usr the package may list it as /bin/cat
dpkg-query -S "$program" >/dev/null 2>&1 || dpkg-query -S "/bin/cat" >/dev/null 2>&1 || skip "$program is no package's"
chmod 755 "$T" # for users
cp "$program" "$T/copy"

guard "timeout = 2s" <<END # reading the database takes a while on a busy machine
[watch w]
path = $T/guarded
default = deny
[rule w/packaged]
action = allow
trust = packaged
END
expect_ok "$program" "$file"
expect_ok as_user 1234 "$program" "$file"
expect_eperm "$T/copy" "$file"
expect_eperm as_user 1234 "$T/copy" "$file"

# A name alone proves nothing: another program mounted over it, and the right one under another name.
expect_eperm unshare -m sh -c "mount --bind '$T/copy' '$program' && exec '$program' '$file'"
# One who reaches the right program by a name of his own does not spoil it for others.
touch "$T/name"
limited unshare -m sh -c "mount --bind '$program' '$T/name' && exec '$T/name' '$file'" >/dev/null 2>&1
expect_ok "$program" "$file"

expect_status 0 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path "$file" --exe "$program"
expect_status 5 "$FILEWARD" explain -c "$T/conf/fileward.ini" --path "$file" --exe "$T/copy"
assert grep -q 'trust: ' <<<"$OUTPUT"

# A package of the test's own, in a database of its own: a mount namespace hides the machine's.
mkdir "$T/dpkg" "$T/dpkg/info" "$T/dpkg/updates"
cp -a /var/lib/dpkg/. "$T/dpkg/" 2>/dev/null
mount --bind "$T/dpkg" /var/lib/dpkg || fail "cannot put another database in place"
hide /opt
mkdir "$T/package" "$T/package/DEBIAN" "$T/package/opt"
make_package() { # VERSION TEXT
    cp "$program" "$T/package/opt/reader"
    printf '%s' "$2" >>"$T/package/opt/reader"
    printf '%s\n' "Package: fileward-test-reader" "Version: $1" "Architecture: all" "Maintainer: nobody <nobody@localhost>" \
        "Description: a test" >"$T/package/DEBIAN/control"
    (cd "$T/package" && md5sum opt/reader >DEBIAN/md5sums)
    chmod -R go-w "$T/package"
    dpkg-deb --root-owner-group -b "$T/package" "$T/reader-$1.deb" >/dev/null || fail "cannot make a package"
}
install_package() {
    DEBIAN_FRONTEND=noninteractive timeout -s KILL 60 dpkg --force-unsafe-io -i "$T/reader-$1.deb" >"$T/dpkg.log" 2>&1 ||
        fail "dpkg: $(tail -n 3 "$T/dpkg.log")"
}
need dpkg-deb
make_package 1 one
make_package 2 two
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/packaged]
action = allow
exe = /opt/*
trust = packaged
END
cp "$T/package/opt/reader" /opt/reader
expect_eperm /opt/reader "$file"

# Installed while the daemon runs: no reload, and no wait.
install_package 1
expect_ok /opt/reader "$file"
# An upgrade: the new one is itself, the old one that still runs stays what it was.
mkfifo "$T/go"
# shellcheck disable=SC2016
(exec /opt/reader "$T/go" "$file" >"$T/said" 2>&1) &
reader=$!
runs_reader() { [ "$(readlink "/proc/$reader/exe")" = /opt/reader ]; }
until_true 5 runs_reader || fail "the reader does not run"
install_package 2
expect_ok /opt/reader "$file"
: >"$T/go"
wait "$reader" || fail "the program that was replaced while it ran was refused: $(cat "$T/said")"
assert grep -q secret "$T/said"

# What was trusted is forgotten when the database changes.
refused() { ! limited /opt/reader "$file" >/dev/null 2>&1; }
allowed() { limited /opt/reader "$file" >/dev/null 2>&1; }
remembered() {
    local clerk status
    clerk=$(role_pid clerk)
    allowed || return 1
    kill -STOP "$clerk"
    allowed
    status=$?
    kill -CONT "$clerk"
    return $status
}
until_true 5 remembered || fail "what was trusted is asked again and again"
sums=$T/dpkg/info/fileward-test-reader.md5sums
cp "$sums" "$T/sums"
sed -i 's/^...../00000/' "$sums"
until_true 3 refused || fail "trusted after its checksum has changed"
mv "$T/sums" "$sums"
until_true 3 allowed || fail "not trusted with its checksum"

# Changed by hand: no longer the package's. Owned or writable by somebody else: neither.
cp /opt/reader "$T/keep"
printf x >>/opt/reader
expect_eperm /opt/reader "$file"
cp "$T/keep" /opt/reader
expect_ok /opt/reader "$file"
chmod g+w /opt/reader && chgrp 1234 /opt/reader
expect_eperm /opt/reader "$file"
chmod g-w /opt/reader
expect_ok /opt/reader "$file"
chown 1234 /opt/reader
expect_eperm /opt/reader "$file"
chown root:root /opt/reader
expect_ok /opt/reader "$file"
# Removed, and a copy put in its place.
DEBIAN_FRONTEND=noninteractive timeout -s KILL 60 dpkg --purge fileward-test-reader >"$T/dpkg.log" 2>&1 || fail "dpkg: $(tail -n 3 "$T/dpkg.log")"
cp "$T/keep" /opt/reader
expect_eperm /opt/reader "$file"

# A database that is guarded itself: the clerk reads it all the same, also that of the policy that a reload brings.
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/packaged]
action = allow
trust = packaged
[watch database]
path = $T/dpkg
default = deny
END
expect_ok "$program" "$file"
expect_eperm cat "$T/dpkg/status"
kill -HUP "$DAEMON"
reloaded() { grep -q '^fileward: reloaded' "$T/stderr"; }
until_true 10 reloaded || fail "not reloaded"
expect_ok "$program" "$file"
expect_eperm "$T/copy" "$file"
assert_equal "$(record_count '.watch == "database" and .decision == "deny" and (.subject.comm | startswith("fileward"))')" 0

# No database: nothing can be told, so an allow rule does not hold.
mount -t tmpfs -o mode=0755 fileward-test /var/lib/dpkg
not_any_more() { ! limited "$program" "$file" >/dev/null 2>&1; }
guard "timeout = 2s" <<END
[watch w]
path = $T/guarded
default = deny
[rule w/packaged]
action = allow
trust = packaged
END
expect_eperm "$program" "$file"
expect_status 0 "$FILEWARD" check -c "$T/conf/fileward.ini"
assert grep -q 'no package database' <<<"$OUTPUT"
