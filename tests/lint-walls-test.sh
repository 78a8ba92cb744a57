#!/bin/bash
# Breaks each wall in a copy of nothing and sees whether lint-walls.sh notices.
set -u
walls=$(dirname "$(realpath "$0")")/lint-walls.sh
top=$(mktemp -d) || exit 1
trap 'rm -rf "$top"' EXIT
failed=0

# try FILE INCLUDE: what lint-walls.sh says of a tree with this one line.
try() {
    rm -rf "${top:?}"/*
    mkdir -p "$top/src" "$top/include/fileward" "$top/$(dirname "$1")"
    printf '/* A file. */\n#include %s\n' "$2" >"$top/$1"
    said=$("$walls" "$top")
}

stands() {
    if ! try "$1" "$2"; then
        echo "lint-walls-test: $1 may include $2, and it says: $said"
        failed=1
    fi
}

# breaks FILE INCLUDE WORDS: the message names the place and the wall.
breaks() {
    if try "$1" "$2" || [[ $said != "$1:2: wall: "*"$3"* ]]; then
        echo "lint-walls-test: $1 must not include $2 ($3), and it says: $said"
        failed=1
    fi
}

for role in keeper judge clerk scout herald; do
    stands "src/$role/a.c" "\"$role/$role.h\""
    stands "src/main.c" "\"$role/$role.h\""
    stands "src/cli/a.c" "\"$role/$role.h\""
    for other in keeper judge clerk scout herald base policy; do
        [ $role = $other ] || breaks "src/$other/a.h" "\"$role/$role.h\"" "$role/ headers"
    done
done
for header in sys linux; do
    for file in judge/gate.c scout/a.c scout/a.h keeper/a.c base/answer.c; do
        stands "src/$file" "<$header/fanotify.h>"
    done
    for file in judge/gate.h judge/loop.c herald/a.c clerk/a.c cli/a.c base/a.c base/answer.h; do
        breaks "src/$file" "<$header/fanotify.h>" 'know fanotify'
    done
done
for header in seccomp.h sys/capability.h linux/seccomp.h linux/capability.h; do
    stands src/base/sandbox.c "<$header>"
    breaks src/base/sandbox.h "<$header>" 'knows seccomp'
    breaks src/keeper/a.c "<$header>" 'knows seccomp'
done
stands src/herald/http.c '<microhttpd.h>'
breaks src/herald/http.h '<microhttpd.h>' 'knows microhttpd'
breaks src/cli/a.c '<microhttpd.h>' 'knows microhttpd'
for file in clerk/digest.c base/load.c; do
    stands "src/$file" '<nettle/sha2.h>'
done
for file in clerk/digest.h clerk/trust.c judge/a.c cli/a.c; do
    breaks "src/$file" '<nettle/md5.h>' 'know nettle'
done
stands src/policy/reader.c '<ini.h>'
breaks src/policy/parser.c '<ini.h>' 'knows ini.h'
breaks src/cli/a.c '<ini.h>' 'knows ini.h'
breaks src/cli/a.c '"../base/own.h"' 'from the top'
stands src/policy/a.c '"policy/a.h"'
stands src/policy/a.c '"fileward/policy.h"'
stands src/policy/a.c '<sys/stat.h>'
breaks src/policy/a.c '"base/ring.h"' 'nothing but itself'
breaks src/policy/a.c '<jansson.h>' 'nothing but itself'
breaks src/policy/a.c '<linux/fs.h>' 'nothing but itself'
stands include/fileward/a.h '"fileward/b.h"'
stands include/fileward/a.h '<stdint.h>'
breaks include/fileward/a.h '"policy/glob.h"' 'nothing but itself'
breaks include/fileward/a.h '<jansson.h>' 'nothing but itself'
exit $failed
