#!/bin/sh
# Installs what is missing for the named sets (build test kernel lint fuzz fapolicyd), and is silent when nothing is.
# No service is started or enabled by it: some tests need the programs of sshd and Prometheus, not their daemons.
set -eu

debian='' fedora=''
for set in "${@:-build}"; do
    case $set in
    build)
        debian="$debian gcc libc6-dev make pkg-config libseccomp-dev libcap-dev libinih-dev libmicrohttpd-dev"
        debian="$debian nettle-dev libjansson-dev"
        fedora="$fedora gcc make pkgconf-pkg-config libseccomp-devel libcap-devel inih-devel libmicrohttpd-devel"
        fedora="$fedora nettle-devel jansson-devel"
        ;;
    test)
        debian="$debian libcmocka-dev clang libclang-rt-dev jq curl procps util-linux openssh-client openssh-server"
        debian="$debian prometheus git vim-tiny strace systemd-container logrotate"
        debian="$debian e2fsprogs xfsprogs btrfs-progs"
        fedora="$fedora libcmocka-devel clang compiler-rt jq curl procps-ng util-linux openssh-clients openssh-server"
        fedora="$fedora golang-github-prometheus git vim-minimal strace systemd-container logrotate"
        fedora="$fedora e2fsprogs xfsprogs btrfs-progs"
        ;;
    lint)
        debian="$debian clang-format cppcheck shellcheck"
        fedora="$fedora clang-tools-extra cppcheck ShellCheck"
        ;;
    fuzz)
        debian="$debian clang libclang-rt-dev"
        fedora="$fedora clang compiler-rt"
        ;;
    kernel)
        debian="$debian qemu-system-x86 cpio kmod iproute2 e2fsprogs xfsprogs btrfs-progs"
        fedora="$fedora qemu-system-x86 cpio kmod iproute e2fsprogs xfsprogs btrfs-progs"
        ;;
    fapolicyd)
        debian="$debian fapolicyd"
        fedora="$fedora fapolicyd"
        ;;
    *)
        echo "deps.sh: unknown set '$set': build, test, kernel, lint, fuzz or fapolicyd" >&2
        exit 2
        ;;
    esac
done

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    if [ "${FILEWARD_SKIP_DEPS:-}" ]; then
        exit 0
    fi
    echo "Packages are installed automatically on Debian only. Install these, then set FILEWARD_SKIP_DEPS=1:" >&2
    echo "  Debian:$debian" >&2
    echo "  Fedora:$fedora" >&2
    exit 1
fi

# shellcheck disable=SC2086 # lists of words
installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $debian 2>/dev/null | sed -n 's/^ii //p' || :)
missing=
for package in $debian; do
    case "
$installed
" in
    *"
$package
"*) ;;
    *) missing="$missing $package" ;;
    esac
done
if [ -z "$missing" ]; then
    exit 0
fi

if [ "$(id -u)" != 0 ]; then
    echo "Missing:$missing" >&2
    echo "Run as root: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# A policy-rc.d that says 101 keeps dpkg from starting services; ours goes away again.
guard=/usr/sbin/policy-rc.d
if [ ! -e "$guard" ]; then
    trap 'rm -f "$guard"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing </dev/null

# What was installed just now must not start at the next boot either.
if command -v systemctl >/dev/null; then
    for package in $missing; do
        dpkg -L "$package" | sed -nE 's#.*/systemd/system/([^/@]+\.(service|socket|timer))$#\1#p' |
            xargs -r systemctl --quiet disable || :
    done
fi
