# promise: hostile names of files and programs: each record is one line of valid, harmless JSON that gives the bytes back
. tests/system/lib.sh
setup
opener=$BUILD/tests/opener
names=(
    $'line\nbreak\r"quoted"\\back\tslash'
    $'\e[2J\e]0;title\a\e[31mred\x9b31m'
    $'invalid \xff\xfe\xc3( utf-8 \xed\xa0\x80'
    $'bidi \u202egnp.exe \u2066x\u2069 \u200b'
    $'{"kind":"stop"},\u2028'
    $'\x7f\x01 trailing blank '
    ' -rf '
    $'\xf0\x9f\x94\x91 h\xc3\xa4ngt'
)
for name in "${names[@]}"; do
    echo x >"$T/guarded/$name"
    cp "$opener" "$T/$name"
done
# As long as the kernel lets a name be; and a file below what can be named at all.
component=$(printf 'n%.0s' {1..200})
deep=$T/guarded
while [ $((${#deep} + 201)) -lt 4080 ]; do
    deep+=/$component
    mkdir "$deep"
done
left=$((4094 - ${#deep} - 1))
long=$deep/$(printf 'f%.0s' $(seq "$left"))
echo x >"$long"
(cd "$deep" && mkdir -p "$component/$component" && echo x >"$component/file")

guard <<END
[watch w]
path = $T/guarded
default = deny
END
for name in "${names[@]}"; do
    expect_eperm "$opener" read "$T/guarded/$name"
    expect_eperm "$T/$name" write "$T/guarded/$name"
done
expect_eperm "$opener" read "$long"
record_has '.object.path | endswith("fffff")'
(cd "$deep" && expect_status 1 "$opener" read "$component/file")

records=$(record_count '.kind == "access"')
[ "$records" -ge 17 ] || fail "only $records records"
assert_equal "$(wc -l <"$LOG")" "$(jq -c . "$LOG" | wc -l)" "lines and records"
! grep -aqP '[^\x20-\x7e]' "$LOG" || fail "a byte that is not printable ASCII: $(grep -aP '[^\x20-\x7e]' "$LOG" | cat -v)"
[ "$(awk '{ if (length > max) max = length } END { print max + 1 }' "$LOG")" -le 16384 ] || fail "a line over 16 KiB"

# json_name BYTES: as jq would write it, which takes valid UTF-8 only.
for name in "${names[@]}"; do
    if printf %s "$name" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1; then
        for key in .object.path .subject.exe; do
            prefix=$T/
            [ $key = .subject.exe ] || prefix=$T/guarded/
            jq -n -e --arg path "$prefix$name" "[inputs | $key? | select(. == \$path)] | length > 0" "$LOG" >/dev/null ||
                fail "$key is not given back: $(printf %q "$name")"
        done
    else
        hex=$(printf %s "$T/guarded/$name" | od -An -v -tx1 | tr -d ' \n')
        record_has '.object.path_hex == "'"$hex"'"'
        hex=$(printf %s "$T/$name" | od -An -v -tx1 | tr -d ' \n')
        record_has '.subject.exe_hex == "'"$hex"'"'
    fi
done

# Terminals and browsers get nothing raw either.
"$FILEWARD" events -c "$T/conf/fileward.ini" >"$T/said" 2>&1 || fail "events ended with $?"
[ "$(grep -c . "$T/said")" -ge "$records" ] || fail "events shows less than the log"
! grep -aqP '[\x00-\x09\x0b-\x1f\x7f]|\xe2\x80[\x8b-\xae]|\xe2\x81[\xa6-\xa9]|\xc2[\x80-\x9f]' "$T/said" ||
    fail "events prints raw bytes: $(grep -aP '[\x00-\x09\x0b-\x1f\x7f]' "$T/said" | cat -v | head -n 3)"
iconv -f UTF-8 -t UTF-8 "$T/said" >/dev/null 2>&1 || fail "events prints invalid UTF-8"
curl -sS --max-time 5 --unix-socket "$SOCKET" http://localhost/api/events | jq -e . >/dev/null ||
    fail "the API gives no valid JSON"
for what in /metrics /status; do
    ! http $what | grep -q "$T" || fail "$what tells a path"
done
