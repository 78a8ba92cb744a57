# promise: sets, quotes, comments, repeated keys, sections continued in policy.d, rules before their watch, temporary rules
. tests/system/lib.sh
setup
odd="$T/guarded/a # odd; name"
mkdir -p "$odd" "$T/guarded/plain" "$T/guarded/more" "$T/conf/policy.d"
echo x >"$odd/file"
echo x >"$T/guarded/plain/file"
echo x >"$T/guarded/more/file"
for name in one two three four "with blank"; do
    cp /bin/cat "$T/$name"
done

policy <<END
; a comment
# another
[rule w/first]              # before its watch
action = allow ; as this is
exe = @tools   # a set that stands below
uid = 0

[set tools]
exe = $T/one   $T/two
exe = "$T/with blank"

[watch w]
path = "$odd" $T/guarded/plain
default = deny
END
cat >"$T/conf/policy.d/10-more.ini" <<END
[watch w]
path = $T/guarded/more
[set tools]
exe = $T/three
[rule w/first]
reason = "tools # may; all"
END
cat >"$T/conf/policy.d/20-later.ini" <<END
[rule w/later]
action = allow
exe = $T/four
[rule w/never]
action = deny
exe = $T/four
END
echo "[nonsense" >"$T/conf/policy.d/readme.txt" # not a policy: another ending
chmod 600 "$T"/conf/policy.d/*
start
for file in "$odd/file" "$T/guarded/plain/file" "$T/guarded/more/file"; do
    for name in one two three four "with blank"; do
        expect_ok "$T/$name" "$file"
    done
    expect_eperm cat "$file"
    expect_eperm as_user 1000 "$T/one" "$file"
done
# A single key of a later file replaces, and a list key adds; which one replaced is told.
cat >"$T/conf/policy.d/30-last.ini" <<END
[watch w]
default = allow
log = all
[rule w/first]
action = deny
END
chmod 600 "$T/conf/policy.d/30-last.ini"
stop
start
expect_ok cat "$odd/file"
record_has '.rule == "w/default" and .decision == "allow"'
expect_eperm "$T/with blank" "$T/guarded/more/file"
record_has '.rule == "w/first" and .reason == "tools # may; all" and .decision == "deny"'
# shellcheck disable=SC2016 # they are what is told
grep -q '30-last.ini:2: note: `default = allow` replaces `deny` of .*fileward.ini:[0-9]*$' "$T/stderr" ||
    fail "what replaces what is not told"
stop

# Temporary rules come first in their watch.
own_run
mkdir -p /run/fileward/policy.d
cat >/run/fileward/policy.d/now.ini <<END
[rule w/now]
action = allow
exe = $T/one
expires = 2999-01-01T00:00Z
[rule w/past]
action = allow
exe = $T/two
expires = 2020-01-01T00:00Z
END
chmod 600 /run/fileward/policy.d/now.ini
start
expect_ok "$T/one" "$odd/file"
record_has '.rule == "w/now"'
expect_eperm "$T/two" "$odd/file"
