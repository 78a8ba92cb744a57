# promise: what is gone is forgotten, with its marks and memory; what the scout missed, killed or overrun, it finds by looking again, counted and recorded
# timeout: 300
. tests/system/lib.sh
setup
DIRECTORIES=${DIRECTORIES:-1000}
FILES=${FILES:-10} # in each
COMMAND_SECONDS=240
mkdir -p "$T/guarded/dir" "$T/out"
echo x >"$T/guarded/dir/old"
guard <<END
[watch w]
path = $T/guarded/dir
default = deny
[rule w/root]
action = allow
uid = 0
END
marks() {
    metric 'fileward_marks{watch="w"}'
}
scanned_again() { # TIMES REASON
    until_true 60 metric_is fileward_rescans_total "$1" || fail "rescans: $(metric fileward_rescans_total), expected $1"
    record_has '.kind == "rescan" and (.reason | test("'"$2"'")) and .marks > 0'
}
refused_by_mark() { # PATH: through a link elsewhere, to another user
    rm -f "$T/out/link"
    ln "$1" "$T/out/link"
    ! as_user 1000 cat "$T/out/link" >/dev/null 2>&1
}
tree() { # DIRECTORY: one of the size
    mkdir "$1" && (cd "$1" && seq -f d%g "$DIRECTORIES" | xargs mkdir &&
        for ((d = 1; d <= DIRECTORIES; d++)); do
            for ((f = 1; f <= FILES; f++)); do
                : >"d$d/a-file-of-ordinary-length-$f"
            done
        done)
}
# KiB that the scout has of its own, and that are in the register.
memory() {
    local pid
    pid=$(role_pid scout)
    awk '/memfd:fileward-register/ { on = 1 } on && $1 == "Rss:" { print $2; exit }' "/proc/$pid/smaps"
    awk '$1 == "RssAnon:" { print $2 }' "/proc/$pid/status"
}
kernel_marks() { # of the scout's groups
    local pid
    pid=$(role_pid scout)
    cat "/proc/$pid/fdinfo/"* | grep -c '^fanotify ino'
}

assert_equal "$(marks)" 2
kernel=$(kernel_marks)
read -r -d '' reg own <<<"$(memory)"
all=$((DIRECTORIES * (FILES + 1) + 1))

# One file, a name of several, one that somebody still holds open.
echo x >"$T/guarded/dir/a" && ln "$T/guarded/dir/a" "$T/guarded/dir/b"
metric_becomes 'fileward_marks{watch="w"}' 3
rm "$T/guarded/dir/a"
echo x >"$T/guarded/dir/c"
metric_becomes 'fileward_marks{watch="w"}' 4
exec 9<"$T/guarded/dir/b"
rm "$T/guarded/dir/b" "$T/guarded/dir/c"
metric_becomes 'fileward_marks{watch="w"}' 3
exec 9<&-
metric_becomes 'fileward_marks{watch="w"}' 2

# A tree moved in, taken out, removed.
tree "$T/out/tree"
for round in 1 2 3; do
    began=${EPOCHREALTIME/./}
    mv "$T/out/tree" "$T/guarded/dir/tree"
    until_true 60 metric_is 'fileward_marks{watch="w"}' $((all + 2)) || fail "marks: $(marks), expected $((all + 2))"
    read -r -d '' reg_in own_in <<<"$(memory)"
    echo "round $round: marked within $(((${EPOCHREALTIME/./} - began) / 1000)) ms, register $reg_in KiB, own $own_in KiB: $((reg_in * 1024 / all)) + $(((own_in - own) * 1024 / all)) bytes each"
    mv "$T/guarded/dir/tree" "$T/out/tree"
done
assert refused_by_mark "$T/out/tree/d7/a-file-of-ordinary-length-1"
assert_equal "$(marks)" $((all + 2)) "marks of what was moved away"
rm "$T/out/link"
began=${EPOCHREALTIME/./}
rm -r "$T/out/tree"
echo "removed within $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
until_true 60 metric_is 'fileward_marks{watch="w"}' 2 || fail "marks: $(marks) after the removal"
echo "forgotten within $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
read -r -d '' reg_out own_out <<<"$(memory)"
echo "register $reg KiB before, $reg_in with the tree, $reg_out after; own $own, $own_in, $own_out; kernel's marks $kernel, $(kernel_marks) after"
[ "$reg_out" -le $((reg + 64)) ] || fail "the register has $reg_out KiB, and had $reg"
# Some kernels give a large page where a small one would do.
is_sanitized || [ "$own_out" -le $((own + 1024 + 2048)) ] || fail "the scout has $own_out KiB, and had $own"
assert_equal "$(kernel_marks)" "$kernel" "marks in the kernel"
before=$(metric fileward_rescans_total)
[ "$before" = 0 ] || [ $all -gt "$(cat /proc/sys/fs/fanotify/max_queued_events)" ] || fail "$before rescans"

# Killed: what came and went meanwhile is found.
scout=$(role_pid scout)
echo x >"$T/guarded/dir/goes"
metric_becomes 'fileward_marks{watch="w"}' 3
kill -STOP "$scout"
mkdir "$T/guarded/dir/new"
echo x >"$T/guarded/dir/new/file"
rm "$T/guarded/dir/goes"
kill -KILL "$scout"
scanned_again $((before + 1)) "replaced"
metric_becomes 'fileward_marks{watch="w"}' 4
assert refused_by_mark "$T/guarded/dir/new/file"
rm "$T/out/link"
rm -r "$T/guarded/dir/new"
metric_becomes 'fileward_marks{watch="w"}' 2

# Overrun: more happens than the kernel keeps for it.
scout=$(role_pid scout)
kill -STOP "$scout"
most=$(cat /proc/sys/fs/fanotify/max_queued_events)
[ "$most" -le 100000 ] || skip "fs.fanotify.max_queued_events is $most"
seq -f "$T/guarded/dir/file-%g" $((most + 1000)) | xargs touch
kill -CONT "$scout"
scanned_again $((before + 2)) "more changed at once"
until_true 60 metric_is 'fileward_marks{watch="w"}' $((most + 1002)) || fail "marks: $(marks)"
assert refused_by_mark "$T/guarded/dir/file-$((most + 1000))"
rm "$T/out/link"
kill -STOP "$scout"
find "$T/guarded/dir" -name 'file-*' -delete
kill -CONT "$scout"
scanned_again $((before + 3)) "more changed at once"
until_true 60 metric_is 'fileward_marks{watch="w"}' 2 || fail "marks: $(marks)"
assert_equal "$(metric 'fileward_restarts_total{role="scout"}')" 1 "restarts"

# A storm of one user's files: it takes no memory that stays, and the scout keeps saying that it lives.
mkdir "$T/guarded/dir/his"
chown 1002 "$T/guarded/dir/his"
chmod 755 "$T" "$T/guarded/dir"
cat >"$T/storm" <<'END'
cd "$1" || exit 1
end=$((SECONDS + $2))
while [ $SECONDS -lt $end ]; do
    for i in 1 2 3 4 5 6 7 8 9; do
        mkdir "d$i" && mkdir "d$i/e" && rmdir "d$i/e" "d$i"
        ln -s x "l$i" && mv "l$i" "m$i" && rm "m$i"
    done
done
END
as_user 1002 bash "$T/storm" "$T/guarded/dir/his" 4 &
storm=$!
echo x >"$T/out/during"
mv "$T/out/during" "$T/guarded/dir/during"
until_true 5 refused_by_mark "$T/guarded/dir/during" || fail "a file is not marked while another user's come and go"
wait $storm || fail "the storm: $?"
until_true 30 metric_is 'fileward_marks{watch="w"}' 4 || fail "marks: $(marks) after a storm"
read -r -d '' reg_out own_out <<<"$(memory)"
[ "$reg_out" -le $((reg + 256)) ] || fail "the register has $reg_out KiB, and had $reg"
assert_equal "$(metric 'fileward_restarts_total{role="scout"}')" 1 "restarts"
