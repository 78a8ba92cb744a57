# promise: another name, another mount, another namespace, another descriptor: a guarded file is asked about on every route
. tests/system/lib.sh
setup
mkdir "$T/out" "$T/bind" "$T/lower" "$T/upper" "$T/work" "$T/merged"
echo secret >"$T/guarded/file"
touch "$T/bindfile"
cp "$BUILD/tests/opener" "$T/opener"
opener=$T/opener
chmod 755 "$T"
sh=$(readlink -f "$(command -v sh)")

# Routes: each prints the content of the file.
hard_link() { cat "$T/out/link"; }
new_link() { ln -f "$T/guarded/file" "$T/out/new" && cat "$T/out/new"; }
symbolic_link() { ln -sf "$T/guarded/file" "$T/out/symbolic" && cat "$T/out/symbolic"; }
bind_mount() { cat "$T/bind/file"; }
bind_of_file() { cat "$T/bindfile"; }
own_root() { cat "/proc/self/root$T/guarded/file"; }
working_directory() { sh -c "cd '$T/guarded' && cat file"; }
moved() { mv "$T/guarded/file" "$T/out/moved" && { cat "$T/out/moved"; s=$?; mv "$T/out/moved" "$T/guarded/file"; return $s; }; }
moved_directory() { mv "$T/guarded" "$T/out/dir" && { cat "$T/out/dir/file"; s=$?; mv "$T/out/dir" "$T/guarded"; return $s; }; }
reopened() { "$opener" reopen "$T/guarded/file" && echo secret; }
by_handle() { "$opener" handle "$T/guarded/file" && echo secret; }
by_uring() { "$opener" uring-read "$T/guarded/file" && echo secret; }
overlay() { mount -t overlay overlay -o "lowerdir=$T/guarded,upperdir=$T/upper,workdir=$T/work" "$T/merged" &&
    { cat "$T/merged/file"; s=$?; umount "$T/merged"; return $s; }; }
mount_namespace() { unshare -m cat "$T/guarded/file"; }
chrooted() { mkdir -p "$T/root/guarded" && mount --bind "$T/guarded" "$T/root/guarded" &&
    { "$opener" read "$T/root/guarded/file" && echo secret; s=$?; umount "$T/root/guarded"; return $s; }; }
user_namespace() { as_user 1000 unshare -Urm cat "$T/guarded/file"; }
user_namespace_bind() { as_user 1000 unshare -Urm sh -c "mount --bind '$T/guarded' '$T/out' && cat '$T/out/file'"; }
user_namespace_overlay() { as_user 1000 unshare -Urm sh -c "mount -t tmpfs none '$T/out' && mkdir '$T/out/'{u,w,m} &&
    mount -t overlay o -o lowerdir='$T/guarded',upperdir='$T/out/u',workdir='$T/out/w' '$T/out/m' && cat '$T/out/m/file'"; }
root_of_another() { # /proc/PID/root of a process in another mount namespace
    local pid s
    unshare -m sh -c 'echo $$; exec sleep 20' >"$T/pid" &
    until_true 5 test -s "$T/pid"
    pid=$(cat "$T/pid")
    cat "/proc/$pid/root$T/guarded/file"
    s=$?
    kill "$pid"
    wait "$pid" 2>/dev/null
    rm "$T/pid"
    return $s
}
descriptor_of_another() { # /proc/PID/fd of a process that has it open since before the marks
    cat "/proc/$holder/fd/9"
}

ln "$T/guarded/file" "$T/out/link"
mount --bind "$T/guarded" "$T/bind"
mount --bind "$T/guarded/file" "$T/bindfile"
sleep 100 9<"$T/guarded/file" &
holder=$!
routes="hard_link new_link symbolic_link bind_mount bind_of_file own_root working_directory moved moved_directory reopened
    by_handle by_uring overlay mount_namespace chrooted root_of_another descriptor_of_another"
for route in user_namespace user_namespace_bind user_namespace_overlay; do
    if [ "$($route 2>/dev/null)" = secret ]; then
        routes+=" $route"
    else
        echo "not possible here: $route"
    fi
done
for route in $routes; do
    expect_ok "$route"
    [[ $OUTPUT == *secret* ]] || fail "without a daemon $route does not lead to the file: $OUTPUT"
done

# Known, and told by `status`: no kernel before 6.5 asks about what an overlay opens below.
read -r major minor _ < <(uname -r | tr '.-' '  ')
if [ "$major" -lt 6 ] || { [ "$major" = 6 ] && [ "$minor" -lt 5 ]; }; then
    routes=$(sed -E 's/\b(user_namespace_)?overlay\b//g' <<<"$routes")
    overlay=false
fi

guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/admin]
action = allow
uid = 4711
exe = $sh
END
assert_equal "$(status_json | jq .features.overlay)" "${overlay:-true}" "feature overlay"
for route in $routes; do
    $route >"$T/said" 2>&1
    status=$?
    { [ $status != 0 ] && ! grep -q secret "$T/said"; } || fail "through: $route: $(cat "$T/said")"
    grep -q 'Operation not permitted' "$T/said" || fail "$route failed otherwise: $(cat "$T/said")"
done
assert_equal "$(record_count '.verdict == "deny" and .decision == "allow"')" 0
# Wherever it was reached, its place is the one where it was first seen.
assert_equal "$(record_count '.verdict == "deny" and (.object.path | endswith("/guarded/file") | not)
    and (.object.path | endswith("/guarded") | not)')" 0 "records with another place"
kill "$holder"
