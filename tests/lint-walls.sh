#!/bin/bash
# The walls of the house (ARCHITECTURE.md): which file may include what. lint-walls.sh [TOP]
# Prints `file:line: wall: include`, and fails, for each that is broken.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2
directive='^[[:space:]]*#[[:space:]]*include[[:space:]]*'
broken=0

# wall "WORDS" INCLUDES [ALLOWED]: INCLUDES (an expression for what stands between the quotes or angles) only in files
# whose name matches ALLOWED.
wall() {
    local words=$1 includes=$2 allowed=${3:-^$}
    local file line text
    while IFS=: read -r file line text; do
        if [[ ! $file =~ $allowed ]]; then
            echo "$file:$line: wall: $words: $text"
            broken=1
        fi
    done < <(grep -rnE --include='*.[ch]' "${directive}[<\"]($includes)[>\"]" src include)
}

for role in keeper judge clerk scout herald; do
    wall "no other role, nor base/ and policy/, includes $role/ headers" "$role/.*" "^src/($role/|cli/|main\.c$)"
done
wall "only judge/gate.c, scout/, keeper/ and base/answer.c know fanotify" '(sys|linux)/fanotify\.h' \
    '^src/(judge/gate\.c|scout/.*|keeper/.*|base/answer\.c)$'
wall "only base/sandbox.c knows seccomp and capabilities" '(linux/)?seccomp\.h|(sys|linux)/capability\.h' \
    '^src/base/sandbox\.c$'
wall "only herald/http.c knows microhttpd" 'microhttpd\.h' '^src/herald/http\.c$'
wall "only clerk/digest.c and base/load.c know nettle" 'nettle/.*' '^src/(clerk/digest|base/load)\.c$'
wall "only policy/reader.c knows ini.h" 'ini\.h' '^src/policy/reader\.c$'
wall "includes are written from the top, never with .." '.*\.\./.*'

# room "WORDS" FOLDER [ALSO]: what is in FOLDER includes itself, include/fileward/, libc, and what ALSO matches.
libc='assert|byteswap|ctype|dirent|endian|errno|fcntl|fnmatch|glob|grp|inttypes|limits|pwd|sched|signal|stdalign'
libc+='|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|time|unistd|(sys|arpa|net|netinet)/[a-z_]+'
room() {
    local words=$1 folder=$2 also=${3:-^$} file line text
    [ -d "$folder" ] || return
    while IFS=: read -r file line text; do
        if [[ ! $text =~ include\ *\"(${folder#src/}|fileward)/ && ! $text =~ include\ *\<($libc)\.h\> &&
            ! $text =~ include\ *\"($also)\" && ! "$file $text" =~ ^src/policy/reader\.c\ .*\<ini\.h\> ]]; then
            echo "$file:$line: wall: $words: $text"
            broken=1
        fi
    done < <(grep -rnE --include='*.[ch]' "$directive" "$folder")
}
room "policy/ includes nothing but itself, include/fileward/, libc, base/fd.h, base/own.h and base/text.h" src/policy \
    'base/(fd|own|text)\.h'
room "include/fileward/ includes nothing but itself, base/ and libc" include/fileward 'base/[a-z]+\.h'
exit $broken
