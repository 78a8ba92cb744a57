# promise: a FUSE file system that never answers, where the policy looks for programs, delays nobody; programs there are unknown
. tests/system/lib.sh
. tests/system/traps.sh
setup
not_sanitized "they are too slow for the bounds"
mkdir -p "$T/home/u/bin" "$T/home/u/local" "$T/srv/dead" "$T/tools" "$T/bound"
chown -R 1000:1000 "$T/home/u"
echo x >"$T/guarded/file"
for copy in tools/tool home/u/local/tool home/u/bin/tool bound/prog; do
    cp "$BUILD/tests/hammer" "$T/$copy"
done
ln -s "$T/srv/dead/prog" "$T/tools/link"
ln -s "$T/home/u/bin/../local/tool" "$T/tools/round"
file=$T/guarded/file

guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/tools]
action = allow
exe = $T/tools/tool $T/home/u/bin/* $T/home/u/local/* $T/srv/dead/prog $T/tools/link $T/tools/round
END
as_user 1000 "$T/home/u/bin/tool" -s 8 "$file" >"$T/running" & # what it runs will be covered by a mount
running=$!
for tool in tools/tool home/u/local/tool home/u/bin/tool; do
    undisturbed "$T/$tool" "$file" 0.1
done

# While they answer, programs on them are unknown all the same: what they are is what their server says.
hung_mount "$T/srv/dead" -o
hung_mount "$T/home/u/bin" -o -u 1000
for dir in "$T/srv/dead" "$T/home/u/bin"; do
    expect_ok "$dir/prog" -n 5 "$file"
    assert_equal "$(jq -c '[.ok, .eperm]' <<<"$OUTPUT")" "[0,5]" "opens by $dir/prog"
    record_has '.subject.exe == "'"$dir"'/prog" and .subject.flags == ["unknown-exe"] and .subject.exe_ino == null and .verdict == "deny"'
done
undisturbed "$T/tools/tool" "$file" 0.1

# Its pages are in memory, so that it goes on when nobody can read them any more.
"$T/srv/dead/prog" -s 5 "$file" >"$T/survivor" &
survivor=$!
until_true 5 a_record_has ".subject.pid == $survivor" || fail "it does not ask"
hang "$T/srv/dead"
hang "$T/home/u/bin"

# Long enough for everything that was known to be looked up again.
undisturbed "$T/tools/tool" "$file" 2
undisturbed "$T/home/u/local/tool" "$file" 0.1

# Who starts a program there hangs, alone. A process that shows the name of one, in a mount tree of its own, does not.
never_answers "$T/home/u/bin/prog" "$file" || fail "an exec from a hung file system does not hang"
expect_ok unshare -m --propagation private sh -c \
    "umount -l '$T/home/u/bin' && mount --bind '$T/bound' '$T/home/u/bin' && exec '$T/home/u/bin/prog' -s 2 '$file'"
jq -e '.ok == 0 and .eperm > 0 and .ebusy == 0 and .worst_us < 300000' <<<"$OUTPUT" >/dev/null || fail "an impostor: $OUTPUT"
record_has '.subject.exe == "'"$T"'/home/u/bin/prog" and (.subject.flags | index("impostor"))'
undisturbed "$T/tools/tool" "$file" 1

wait $survivor || fail "the program that ran there: $?"
jq -e '.ok == 0 and .eperm > 0 and .ebusy == 0 and .worst_us < 300000' "$T/survivor" >/dev/null || fail "$(cat "$T/survivor")"
wait $running || fail "the program that was covered: $?"
jq -e '.ok > 0 and .eperm > 0 and .ebusy + .other == 0 and .worst_us < 300000' "$T/running" >/dev/null || fail "$(cat "$T/running")"
assert_equal "$(metric 'fileward_timeouts_total{watch="w"}')" 0 "timeouts"

# A file system that is mounted, and hangs, again and again: the judge meets it at any point.
release_all
for _ in {1..5}; do
    "$T/tools/tool" -s 2 "$file" >"$T/load" &
    load=$!
    hung_mount "$T/home/u/bin" -o -u 1000
    hang "$T/home/u/bin"
    wait $load
    jq -e '.eperm + .ebusy + .other == 0 and .worst_us < 300000' "$T/load" >/dev/null || fail "$(cat "$T/load")"
    release_all
done
undisturbed "$T/home/u/bin/tool" "$file" 0.1
assert_equal "$(metric fileward_rescues_total)" 0 "rescues"
