# promise: the shipped policy for /etc, enforced: a working host goes on working, and strangers are refused
# timeout: 180
. tests/system/lib.sh
setup
[ -e /etc/debian_version ] || skip "the shipped policies are written for Debian"
need useradd chpasswd dpkg-deb dpkg ssh-keygen perl

# The machine's /etc is hidden behind a copy: only the copy is marked, and only we see it.
cp -a /etc "$T/etc"
mount --bind "$T/etc" /etc || fail "cannot put a copy in the place of /etc"
mkdir "$T/home" "$T/conf/policy.d"
useradd -M -d "$T/home/alice" -s /bin/sh fw-alice
mkdir -m 700 "$T/home/alice" && chown fw-alice: "$T/home/alice"
ssh-keygen -A >/dev/null
echo 'password' >/etc/fw-service.conf && chown root:daemon /etc/fw-service.conf && chmod 640 /etc/fw-service.conf
mkdir -p /etc/wireguard && echo 'PrivateKey = x' >/etc/wireguard/wg0.conf && chmod 600 /etc/wireguard/wg0.conf
mkdir -p /etc/sudoers.d && echo 'fw-alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/fw && chmod 440 /etc/sudoers.d/fw
mkdir -m 700 "$T/bin"
for program in cat sed tee; do
    cp "$(command -v "$program")" "$T/bin/"
done

settings >"$T/conf/fileward.ini"
chmod 600 "$T/conf/fileward.ini"
install -m 644 policy/etc.ini "$T/conf/policy.d/"
start
vim=$(readlink -f "$(command -v vim.tiny || command -v vim.basic || command -v vim || echo /nonexistent)")
alice=$(id -u fw-alice)

# refused RULE OP PATH COMMAND...: with EPERM, recorded under that rule.
refused() {
    local rule=$1 op=$2 path=$3
    shift 3
    expect_eperm "$@"
    record_has '.kind == "access" and .verdict == "deny" and .rule == "'"$rule"'" and .op == "'"$op"'" and (.object.path | startswith("'"$path"'"))'
}

# --- everybody reads what is public ---
expect_ok cat /etc/passwd /etc/hosts
expect_ok "$T/bin/cat" /etc/passwd
expect_ok as_user "$alice" cat /etc/hostname
expect_ok as_user "$alice" ls /etc /etc/ssh
expect_ok ls -la /etc/ssl/private
expect_ok getent passwd fw-alice
expect_status 2 as_user "$alice" sh -c 'echo x >>/etc/hosts' # the kernel's own refusal
[[ $OUTPUT == *"Permission denied"* ]] || fail "what refuses alice: $OUTPUT"

# --- passwords ---
refused etc/shadow-nobody-else read /etc/shadow cat /etc/shadow
refused etc/shadow-nobody-else read /etc/shadow "$T/bin/cat" /etc/shadow
refused etc/shadow-nobody-else read /etc/gshadow- "$T/bin/cat" /etc/gshadow-
refused etc/shadow-nobody-else write /etc/shadow sh -c 'echo x >>/etc/shadow'
assert grep -q '^fw-alice:' /etc/passwd
expect_ok sh -c 'echo fw-alice:First-Pass-1 | chpasswd'
expect_ok useradd -M fw-bob
expect_ok usermod -c Bob fw-bob
expect_ok chage -l fw-bob
expect_ok groupadd fw-group
expect_ok gpasswd -a fw-bob fw-group
expect_ok sh -c 'printf "Second-Pass-2\nSecond-Pass-2\n" | passwd fw-bob'
expect_ok as_user "$(id -u fw-bob)" chage -l fw-bob
expect_ok su fw-bob -c 'exit 0'
expect_ok userdel fw-bob
# The helper of PAM, which an ordinary user's screen lock asks.
expect_ok as_user "$alice" sh -c "printf 'First-Pass-1\0' | /usr/sbin/unix_chkpwd fw-alice nonull"
expect_status 7 as_user "$alice" sh -c "printf 'Wrong\0' | /usr/sbin/unix_chkpwd fw-alice nonull"
# perl looks into shadow whenever it looks up a user, and does well without.
expect_ok perl -e 'exit((getpwnam("fw-alice"))[2] == 0)'

# --- keys and other secrets ---
refused etc/hostkeys-nobody-else read /etc/ssh/ssh_host_ cat /etc/ssh/ssh_host_ed25519_key
expect_ok cat /etc/ssh/ssh_host_ed25519_key.pub
expect_ok ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key
expect_ok cat /etc/fw-service.conf
refused etc/default read /etc/fw-service.conf "$T/bin/cat" /etc/fw-service.conf
expect_ok timeout 5 setpriv --reuid daemon --regid daemon --clear-groups cat /etc/fw-service.conf
refused etc/credentials-nobody-else read /etc/wireguard/wg0.conf head -c1 /etc/wireguard/wg0.conf

# --- editing ---
if [ -x "$vim" ]; then
    expect_ok "$vim" -u NONE -es -c 'normal Ohello' -c wq /etc/motd
    assert grep -q hello /etc/motd
    expect_ok "$vim" -u NONE -es -c 'normal Onew' -c wq /etc/fw-new.conf
    refused etc/shadow-nobody-else read /etc/shadow sh -c "$vim -u NONE -es -c 'silent w! >> /dev/stderr' -c q /etc/shadow; head -c1 /etc/shadow"
fi
refused etc/default write /etc/sed sed -i s/a/b/ /etc/hosts
refused etc/default write /etc/sed "$T/bin/sed" -i s/a/b/ /etc/hosts
refused etc/default write /etc/hosts sh -c 'echo 127.0.0.9 bank.example >>/etc/hosts'
refused etc/default write /etc/hosts "$T/bin/tee" -a /etc/hosts
refused etc/default write /etc/cron.d/fw cp /etc/hostname /etc/cron.d/fw
assert_equal "$(grep -c bank.example /etc/hosts)" 0 "lines added to /etc/hosts"

# --- a package with a conffile and a maintainer script ---
mkdir -p "$T/package/DEBIAN" "$T/package/etc" "$T/dpkg/info" "$T/dpkg/updates"
touch "$T/dpkg/status" "$T/dpkg/available"
echo "setting = 1" >"$T/package/etc/fw-package.conf"
echo /etc/fw-package.conf >"$T/package/DEBIAN/conffiles"
printf '#!/bin/sh\nset -e\necho generated >/etc/fw-generated.conf\nsed -i s/gen/re-gen/ /etc/fw-generated.conf\n' >"$T/package/DEBIAN/postinst"
chmod 755 "$T/package/DEBIAN/postinst"
printf 'Package: fw-package\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: for a test\n' >"$T/package/DEBIAN/control"
expect_ok dpkg-deb --root-owner-group --build "$T/package" "$T/fw-package.deb"
expect_ok dpkg --admindir="$T/dpkg" --log="$T/dpkg.log" -i "$T/fw-package.deb"
assert_equal "$(cat /etc/fw-generated.conf)" re-generated "what the maintainer script wrote"
# The same script by itself is a shell like any other.
refused etc/default write /etc/fw-generated.conf sh "$T/dpkg/info/fw-package.postinst"
expect_ok dpkg --admindir="$T/dpkg" --log="$T/dpkg.log" --purge fw-package
[ ! -e /etc/fw-package.conf ] || fail "the conffile is still there"

# --- system tools ---
expect_ok ldconfig
if command -v systemctl >/dev/null; then
    expect_ok systemctl --root=/ list-unit-files
fi
if command -v visudo >/dev/null; then
    expect_ok visudo -c -f /etc/sudoers.d/fw
fi
refused etc/sudoers-nobody-else read /etc/sudoers.d/fw cat /etc/sudoers.d/fw
assert_equal "$(metric fileward_rescues_total)" 0 "rescues"

# --- explain says the same ---
# explained STATUS RULE ARGUMENTS...
explained() {
    local status=$1 rule=$2
    shift 2
    expect_status "$status" "$FILEWARD" explain -c "$T/conf/fileward.ini" "$@"
    [[ $OUTPUT == *"$rule"* ]] || fail "explain $* does not name $rule: $OUTPUT"
}
explained 0 etc/public --path /etc/passwd --exe "$T/bin/cat" --uid fw-alice
explained 5 etc/shadow-nobody-else --path /etc/shadow --exe /usr/bin/cat --uid root
explained 0 etc/shadow-read --path /etc/shadow --exe /usr/sbin/unix_chkpwd --uid fw-alice
explained 0 etc/shadow-accounts --path /etc/shadow --exe /usr/sbin/useradd --uid root --op write
explained 0 etc/package-scripts --path /etc/hosts --exe /usr/bin/dash --uid root --op write --ancestor /usr/bin/dpkg
explained 5 etc/default --path /etc/hosts --exe /usr/bin/dash --uid root --op write
explained 5 etc/default --path /etc/hosts --exe "$T/bin/tee" --uid root --op write
