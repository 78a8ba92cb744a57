# promise: packages as they live: diverted programs are still their package's, a library may be upgraded under who runs
. tests/system/lib.sh
setup
need cc dpkg dpkg-deb dpkg-divert
file=$T/guarded/file
echo secret >"$file"
chmod 755 "$T"

# A database of the test's own, with the machine's packages in it, because a program's own libraries are theirs.
mkdir "$T/dpkg"
cp -a /var/lib/dpkg/. "$T/dpkg/"
mount --bind "$T/dpkg" /var/lib/dpkg || fail "cannot put another database in place"
hide /opt

# A program and its library, each in a package. It opens files when it is told to: one a line.
cat >"$T/reader.c" <<'END'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int library_version(void);
int main(void)
{
    char name[4096];
    while (fgets(name, sizeof name, stdin)) {
        name[strcspn(name, "\n")] = '\0';
        int fd = open(name, O_RDONLY);
        printf("%d %s\n", library_version(), fd < 0 ? strerror(errno) : "read");
        fflush(stdout);
        if (fd >= 0)
            close(fd);
    }
    return 0;
}
END
# make_package NAME VERSION FILE
make_package() {
    local at=$T/build-$1
    rm -rf "$at"
    mkdir -p "$at/DEBIAN" "$at/opt"
    cp "$3" "$at/opt/"
    printf '%s\n' "Package: $1" "Version: $2" "Architecture: all" "Maintainer: nobody <nobody@localhost>" \
        "Description: a test" >"$at/DEBIAN/control"
    (cd "$at" && md5sum opt/* >DEBIAN/md5sums)
    chmod -R u=rwX,go=rX "$at"
    dpkg-deb --root-owner-group -b "$at" "$T/$1-$2.deb" >/dev/null || fail "cannot make the package $1"
}
package() {
    DEBIAN_FRONTEND=noninteractive timeout -s KILL 60 dpkg --force-unsafe-io "$@" >"$T/dpkg.log" 2>&1 ||
        fail "dpkg: $(tail -n 3 "$T/dpkg.log")"
}
for version in 1 2; do
    echo "int library_version(void) { return $version; }" >"$T/library.c"
    cc -shared -fPIC -Wl,-soname,libreader.so -o "$T/libreader.so" "$T/library.c" || fail "cannot build a library"
    make_package fileward-test-library $version "$T/libreader.so"
done
cc -o "$T/reader" "$T/reader.c" "$T/libreader.so" -Wl,-rpath,/opt || fail "cannot build a program"
make_package fileward-test-reader 1 "$T/reader"
package -i "$T/fileward-test-library-1.deb" "$T/fileward-test-reader-1.deb"

guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/intact]
action = allow
exe = /opt/*
trust = packaged
code = intact
END
reads() {
    [ "$(/opt/reader <<<"$file" 2>&1)" = "$1 read" ]
}
is_refused() {
    [ "$(/opt/reader <<<"$file" 2>&1)" = "$1 Operation not permitted" ]
}
assert reads 1

# One that was asked about before the upgrade, and one that was not.
coproc OLD { exec /opt/reader; }
ask_old() {
    echo "$file" >&"${OLD[1]}"
    read -r -t 10 said <&"${OLD[0]}" || fail "the reader says nothing"
}
ask_old
assert_equal "$said" "1 read"
package -i "$T/fileward-test-library-2.deb"
assert reads 2
ask_old
assert_equal "$said" "1 read" "who runs on after the upgrade of its library"
eval "exec ${OLD[1]}>&-" # its end
# The old library once more, as a file of somebody's: not the package's.
cp "$T/build-fileward-test-library/opt/libreader.so" "$T/keep.so"
printf x >>/opt/libreader.so
assert is_refused 2
cp "$T/keep.so" /opt/libreader.so
assert reads 2

# Diverted: it lies under another name, and another package's file may take its place.
timeout -s KILL 60 dpkg-divert --package fileward-test-other --add --rename --divert /opt/reader.distrib /opt/reader >/dev/null ||
    fail "cannot divert"
[ "$(/opt/reader.distrib <<<"$file" 2>&1)" = "2 read" ] || fail "the diverted program is refused"
cp /opt/reader.distrib /opt/reader
assert is_refused 2
rm /opt/reader
timeout -s KILL 60 dpkg-divert --package fileward-test-other --remove --rename /opt/reader >/dev/null || fail "cannot undo it"
assert reads 2

# A package that is removed has no files any more.
cp -p /opt/reader "$T/reader.keep"
package --purge fileward-test-reader
cp -p "$T/reader.keep" /opt/reader
assert is_refused 2
# Half-way through an installation it is not trusted; unpacked it is.
package --unpack "$T/fileward-test-reader-1.deb"
assert reads 2

# What had been upgraded before fileward looked cannot be told from anything else: it is refused until it starts again.
package -i "$T/fileward-test-library-1.deb"
kill -TERM "$DAEMON" && wait_for_end 20
: >"$LOG"
coproc LATE { exec /opt/reader; }
echo "$T/reader.c" >&"${LATE[1]}"
read -r -t 10 said <&"${LATE[0]}" || fail "the reader says nothing"
assert_equal "$said" "1 read"
package -i "$T/fileward-test-library-2.deb"
start
echo "$file" >&"${LATE[1]}"
read -r -t 10 said <&"${LATE[0]}" || fail "the reader says nothing"
assert_equal "$said" "1 Operation not permitted"
assert reads 2
