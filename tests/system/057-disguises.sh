# promise: who only looks like an allowed program is refused, on each route to look so, and the record says what to distrust; the program itself is allowed
# shellcheck disable=SC2016 # scripts for other shells
. tests/system/lib.sh
setup
mkdir "$T/bin" "$T/copy" "$T/root" "$T/user"
reader=$T/bin/reader
evil=$T/copy/reader
cp "$BUILD/tests/opener" "$reader"
cp "$BUILD/tests/opener" "$evil"
cp "$BUILD/tests/disguise" "$T/disguise"
disguise=$T/disguise
ln -s reader "$T/bin/symlink"
chmod 755 "$T" "$T/guarded"
chmod 777 "$T/user"
for ld in /lib64/ld-linux-*.so.2 /lib/ld-linux-*.so.1; do
    [ ! -e "$ld" ] || break
done

# impostor_NAME FILE: opens it with a program that is not the reader.
impostor_memfd() { "$disguise" memfd "$reader" "$evil" read "$1"; }
impostor_memfd_of_it() { "$disguise" memfd reader "$reader" read "$1"; }
impostor_memfd_leaderless() { "$disguise" memfd reader "$evil" leaderless "$1"; }
impostor_memfd_thread() { "$disguise" memfd reader "$evil" thread 1000 "$1"; }
impostor_name() { "$evil" read "$1"; }
impostor_argv0() { bash -c 'exec -a "$1" "$2" read "$3"' - "$reader" "$evil" "$1"; }
impostor_loader() { "$ld" "$reader" read "$1"; }
impostor_traced() { "$disguise" traced "$evil" read "$1"; }
impostor_bind() { unshare -m sh -c 'mount --bind "$1" "$2" && exec "$2" read "$3"' - "$evil" "$reader" "$1"; }
impostor_tmpfs() {
    unshare -m sh -c 'mount --bind "${1%/*}" "$4" && mount -t tmpfs none "${2%/*}" && cp "$4/reader" "$2" && exec "$2" read "$3"' - \
        "$evil" "$reader" "$1" "$T/root"
}
impostor_overlay() {
    unshare -m sh -c 'mount -t overlay none -o "lowerdir=${1%/*}:${2%/*}" "${2%/*}" && exec "$2" read "$3"' - "$evil" "$reader" "$1"
}
impostor_chroot() {
    unshare -m sh -c 'mount --rbind / "$1" && mount --bind "$2" "$1$3" && exec chroot "$1" "$3" read "$4"' - \
        "$T/root" "$evil" "$reader" "$1"
}
impostor_user_bind() {
    as_user 1000 unshare -Urm sh -c 'mount --bind "$1" "$2" && exec "$2" read "$3"' - "$evil" "$reader" "$1"
}
impostor_user_tmpfs() {
    as_user 1000 unshare -Urm sh -c 'cp "$1" "$4/x" && mount --bind "$4" "${2%/*}" && mv "$4/x" "$2" && exec "$2" read "$3"' - \
        "$evil" "$reader" "$1" "$T/user"
}

# it_NAME FILE: the reader, whatever it is called and however it is started.
it_plain() { "$reader" read "$1"; }
it_symlink() { "$T/bin/symlink" read "$1"; }
it_hard_link() { ln -f "$reader" "$T/copy/other" && "$T/copy/other" read "$1"; }
it_handed() { "$disguise" handed "$reader" read "$1"; }
it_argv0() { bash -c 'exec -a "$1" "$2" read "$3"' - "$evil" "$reader" "$1"; }
it_leaderless() { "$reader" leaderless "$1"; }
it_thread() { "$reader" thread 1000 "$1"; }
it_traced() { "$disguise" traced "$reader" read "$1"; }
it_mounts() { unshare -m "$reader" read "$1"; }
it_user() { as_user 1000 unshare -Ur "$reader" read "$1"; }

# What the record says of each; impostors without a line have no flags.
declare -A flags=(
    [impostor_memfd]=memfd [impostor_memfd_of_it]=memfd [impostor_memfd_leaderless]=memfd [impostor_memfd_thread]=memfd
    [impostor_traced]=traced [it_traced]=traced
    [impostor_bind]="impostor foreign-namespace" [impostor_tmpfs]="impostor foreign-namespace"
    [impostor_overlay]="impostor foreign-namespace" [impostor_chroot]=foreign-namespace
    [impostor_user_bind]="impostor foreign-namespace" [impostor_user_tmpfs]="impostor foreign-namespace"
    [it_mounts]=foreign-namespace [it_user]=foreign-namespace
)

# Each route is one: without a guard it opens the file. What this kernel does not let a user do is left out.
routes=
for route in $(compgen -A function impostor_) $(compgen -A function it_); do
    echo secret >"$T/guarded/$route"
    if limited "$route" "$T/guarded/$route" >"$T/said" 2>&1 && grep -q opened "$T/said"; then
        routes+=" $route"
    elif [[ $route == *_user* ]]; then
        echo "not here: $route: $(cat "$T/said")"
    else
        fail "$route does not open what nobody guards: $(cat "$T/said")"
    fi
done

guard <<END
[watch w]
path = $T/guarded
default = deny
log = all
[rule w/reader]
action = allow
exe = $reader
END
for route in $routes; do
    verdict=deny
    if [[ $route == it_* ]]; then
        verdict=allow
        expect_ok "$route" "$T/guarded/$route"
    else
        expect_eperm "$route" "$T/guarded/$route"
    fi
    record_has '.object.path == "'"$T/guarded/$route"'" and .verdict == "'$verdict'" and
        (.subject.flags | join(" ")) == "'"${flags[$route]:-}"'"'
done
echo "routes:$routes"
exit 0
