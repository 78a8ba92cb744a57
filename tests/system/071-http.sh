# promise: HTTP: only GET and HEAD, only hosts of ours, limits on all; whatever clients do, verdicts are not touched
. tests/system/lib.sh
setup
opener=$T/opener
cp "$BUILD/tests/opener" "$opener"
cp "$BUILD/tests/opener" "$T/stranger"
echo x >"$T/guarded/file"
guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/opener]
action = allow
exe = $opener
END
host=${LISTEN%:*} port=${LISTEN##*:}

# A client that never finishes its request; it must be gone before the end of this test.
drip() {
    exec 8<>"/dev/tcp/$host/$port" || return
    printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n' >&8
    while printf 'X-Drip: 1\r\n' >&8; do
        sleep 0.5
    done 2>/dev/null
}
drip &
dripper=$!

for path in /metrics /healthz /status; do
    assert_equal "$(http_status $path)" 200 "GET $path"
    assert_equal "$(http_status $path -I)" 200 "HEAD $path"
    assert_equal "$(http $path -I -o "$T/head" && wc -c <"$T/head" && :)" "$(wc -c <"$T/head")"
done
for method in POST PUT DELETE OPTIONS TRACE PATCH CONNECT EVIL; do
    assert_equal "$(http_status /metrics -X $method)" 405 "$method"
done
http /metrics -X POST -d x=y -D - | grep -qi '^allow: GET, HEAD' || fail "405 without Allow"
for name in evil.example "127.0.0.1.evil.example:$port" "localhost:x" "" 169.254.169.254 "evil@localhost"; do
    assert_equal "$(http_status /metrics -H "Host: $name")" 403 "Host: $name" || fail
done
for name in localhost "localhost:$port" 127.0.0.1 "[::1]:1" LOCALHOST; do
    assert_equal "$(http_status /metrics -H "Host: $name")" 200 "Host: $name"
done
assert_equal "$(http_status /metrics -H "Origin: https://evil.example")" 403 "a page of another site"
assert_equal "$(http_status /metrics -H "Sec-Fetch-Site: cross-site")" 403 "a page of another site"
for path in / /etc/passwd /../../etc/passwd /metrics/x; do
    status=$(http_status "$path" --path-as-is)
    [ "$status" = 404 ] || [ $path = / ] || fail "$path: $status"
done
assert_equal "$(http_status /api/events)" 403 "events over TCP"
http /healthz -D - | grep -qi "^content-security-policy: default-src 'none'" || fail "no strict Content-Security-Policy"

# raw TEXT: the first line that such bytes are answered with, "" if the connection just ends.
raw() {
    printf %b "$1" | timeout -s KILL 5 bash -c 'exec 8<>"/dev/tcp/'"$host/$port"'" && cat >&8 && head -n 1 <&8' 2>/dev/null |
        tr -d '\r'
}
[[ $(raw 'GET /metrics HTTP/1.1\r\n\r\n') == *" 40"[03]* ]] || fail "without Host"
[[ $(raw 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n') == *" 40"[03]* ]] || fail "two Hosts"
for bytes in '\0\0\0\0\r\n\r\n' 'GET\r\n\r\n' '\x16\x03\x01\x02\x00\x01' 'GET /%00 HTTP/9.9\r\nHost: localhost\r\n\r\n'; do
    [[ $(raw "$bytes") != *" 200"* ]] || fail "answered: $bytes"
done
# 1 MB of headers, in one and in many; 1 MB of path.
head -c 1000000 /dev/zero | tr '\0' a >"$T/mega"
{ printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Mega: ' && cat "$T/mega" && printf '\r\n\r\n'; } >"$T/one"
{ printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n' && yes $'X-Many: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r' |
    head -n 25000 && printf '\r\n'; } >"$T/many"
{ printf 'GET /' && cat "$T/mega" && printf ' HTTP/1.1\r\nHost: localhost\r\n\r\n'; } >"$T/path"
for what in one many path; do
    answer=$(timeout -s KILL 5 bash -c "exec 8<>/dev/tcp/$host/$port && { cat '$T/$what' >&8; head -n 1 <&8; }" 2>/dev/null)
    [[ $answer != *" 200"* ]] || fail "1 MB of $what: $answer"
done
assert_equal "$(http_status /healthz)" 200 "after all that"

# More slow clients than it has places for: no open notices, and some seconds after they have gone it serves again.
for i in {10..23}; do
    eval "exec $i<>/dev/tcp/$host/$port" && printf 'GET /met' >&"$i"
done
expect_ok "$opener" many 2000 "$T/guarded/file"
[[ $OUTPUT == "opened 2000 refused 0 "* ]] || fail "$OUTPUT"
[ "${OUTPUT##* }" -lt 300 ] || fail "an open took ${OUTPUT##* } ms: slow clients of HTTP delay verdicts"
expect_ok "$T/stranger" many 500 "$T/guarded/file"
[[ $OUTPUT == "opened 0 refused 500 "* ]] || fail "$OUTPUT"
record_has '.subject.exe == "'"$T"'/stranger"'
for i in {10..23}; do
    eval "exec $i>&-"
done
well() {
    [ "$(http_status /healthz 2>/dev/null)" = 200 ]
}
until_true 15 well || fail "HTTP does not come back when slow clients go"
assert_equal "$(metric 'fileward_restarts_total{role="herald"}')" 0 "the herald's restarts"
assert_equal "$(metric fileward_rescues_total)" 0 rescues
until_true 15 is_gone "$dripper" || fail "a client that drips is not cut off"
