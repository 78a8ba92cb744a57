# promise: the shipped policy for ~/.ssh, enforced: OpenSSH and its users go on working, and strangers are refused
# timeout: 180
. tests/system/lib.sh
setup
[ -e /etc/debian_version ] || skip "the shipped policies are written for Debian"
need useradd ssh ssh-keygen ssh-add ssh-agent /usr/sbin/sshd git

cp -a /etc "$T/etc"
mount --bind "$T/etc" /etc || fail "cannot put a copy in the place of /etc"
mkdir "$T/home" "$T/conf/policy.d" "$T/bin"
home=$T/home/alice
useradd -M -d "$home" -s /bin/sh -p '*' fw-alice # no password, and not locked
mkdir -m 700 "$home" "$home/.ssh" && chown -R fw-alice: "$home"
alice=$(id -u fw-alice)
for program in cat ssh-keygen; do
    cp "$(command -v "$program")" "$T/bin/"
done
made=
[ -d /run/sshd ] || { mkdir -m 755 /run/sshd && made=yes; } # sshd wants it
# The machine's own keys are not to be touched.
mount --bind "$T/home" /root || fail "cannot hide /root"

settings >"$T/conf/fileward.ini"
chmod 600 "$T/conf/fileward.ini"
install -m 644 policy/ssh.ini policy/etc.ini "$T/conf/policy.d/"
start

# user COMMAND...: as alice, at home.
user() {
    as_user "$alice" env -i HOME="$home" USER=fw-alice PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
# refused RULE OP PATH COMMAND...: with EPERM, recorded under that rule.
refused() {
    local rule=$1 op=$2 path=$3
    shift 3
    expect_eperm "$@"
    record_has '.kind == "access" and .verdict == "deny" and .rule == "'"$rule"'" and .op == "'"$op"'" and (.object.path | startswith("'"$path"'"))'
}
key=$home/.ssh/id_ed25519

# --- keys are made and used ---
expect_ok user ssh-keygen -q -t ed25519 -N '' -f "$key"
expect_ok user ssh-keygen -y -f "$key"
expect_ok user ssh-agent sh -c 'ssh-add ~/.ssh/id_ed25519 && ssh-add -l'
expect_ok user sh -c 'date >~/text && ssh-keygen -Y sign -n test -f ~/.ssh/id_ed25519 ~/text'

# --- strangers ---
if command -v cc >/dev/null; then
    cc -shared -fPIC -o "$T/bin/preload.so" -x c - <<<'int fileward_test;' || fail "cannot build a library"
    refused ssh/default read "$key" user LD_PRELOAD="$T/bin/preload.so" ssh-keygen -y -f "$key"
fi
refused ssh/default read "$key" user cat "$key"
refused ssh/default read "$key" user "$T/bin/cat" "$key"
refused ssh/default read "$key" user "$T/bin/ssh-keygen" -y -f "$key"
refused ssh/default read "$key" cat "$key"
refused ssh/default read "$key" user sh -c 'read -r line <~/.ssh/id_ed25519'
refused ssh/default write "$home/.ssh/authorized_keys" user sh -c 'echo key >>~/.ssh/authorized_keys'
refused ssh/default read "$key" user cp "$key" "$home/stolen"
[ ! -s "$home/stolen" ] || fail "the key was copied"
rm -f "$home/.ssh/authorized_keys" # empty: the kernel makes a file before it asks about opening it

# --- what everybody does there ---
expect_ok user ls -la "$home/.ssh"
expect_ok ls -la "$home/.ssh"
expect_ok user cat "$key.pub"
expect_ok user find "$home" -name 'id_*'
vim=$(readlink -f "$(command -v vim.tiny || command -v vim.basic || command -v vim || echo /nonexistent)")
if [ -x "$vim" ]; then
    expect_ok user "$vim" -u NONE -es -c 'normal OHost *' -c 'normal o  ConnectTimeout 5' -c wq "$home/.ssh/config"
    assert grep -q ConnectTimeout "$home/.ssh/config"
    expect_ok user "$vim" -u NONE -es -c "r $key.pub" -c wq "$home/.ssh/authorized_keys"
    assert grep -q ssh-ed25519 "$home/.ssh/authorized_keys"
    user "$vim" -u NONE -es -c "w! $home/stolen" -c q "$key" >/dev/null 2>&1 </dev/null
    ! grep -qs PRIVATE "$home/stolen" || fail "an editor read the key"
else
    install -m 600 -o fw-alice "$key.pub" "$T/keys" && mv "$T/keys" "$home/.ssh/authorized_keys"
fi
chmod 600 "$home/.ssh/authorized_keys"

# --- logins through sshd ---
port=$(free_port)
cat >"$T/sshd_config" <<END_CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM yes
PrintLastLog no
PidFile none
StrictModes no
Subsystem sftp /usr/lib/openssh/sftp-server
END_CONFIG
expect_ok ssh-keygen -A
/usr/sbin/sshd -D -e -f "$T/sshd_config" 2>"$T/sshd.log" &
until_true 10 grep -q 'Server listening' "$T/sshd.log" || fail "sshd does not start: $(cat "$T/sshd.log")"
there=(-o StrictHostKeyChecking=accept-new -o BatchMode=yes)
expect_ok user ssh "${there[@]}" -p "$port" fw-alice@127.0.0.1 'id -un'
[[ $OUTPUT == *fw-alice* ]] || fail "no login: $OUTPUT: $(cat "$T/sshd.log")"
expect_ok user grep -c . "$home/.ssh/known_hosts"
expect_ok user scp -q "${there[@]}" -P "$port" fw-alice@127.0.0.1:/etc/hostname "$home/copied"
assert cmp /etc/hostname "$home/copied"
expect_ok user git init -q --bare "$home/repository"
expect_ok user env GIT_SSH_COMMAND="ssh -o BatchMode=yes" git ls-remote "ssh://fw-alice@127.0.0.1:$port$home/repository"
expect_ok user ssh-keygen -R "[127.0.0.1]:$port"
# A shell that a login started may read no key either; nor add one.
refused ssh/default read "$key" user ssh "${there[@]}" -p "$port" fw-alice@127.0.0.1 'cat ~/.ssh/id_ed25519'
refused ssh/default write "$home/.ssh/authorized_keys" \
    user ssh "${there[@]}" -p "$port" fw-alice@127.0.0.1 'echo key >>~/.ssh/authorized_keys'
assert_equal "$(metric fileward_rescues_total)" 0 "rescues"

# --- explain says the same ---
# explained STATUS RULE ARGUMENTS...
explained() {
    local status=$1 rule=$2
    shift 2
    expect_status "$status" "$FILEWARD" explain -c "$T/conf/fileward.ini" "$@"
    [[ $OUTPUT == *"$rule"* ]] || fail "explain $* does not name $rule: $OUTPUT"
}
explained 0 ssh/tools --path "$key" --exe /usr/bin/ssh --uid fw-alice
explained 5 ssh/default --path "$key" --exe /usr/bin/ssh --uid root
explained 5 ssh/default --path "$key" --exe "$T/bin/ssh-keygen" --uid fw-alice
explained 0 ssh/sshd --path "$home/.ssh/authorized_keys" --exe /usr/sbin/sshd --uid root
explained 5 ssh/default --path "$key" --exe /usr/sbin/sshd --uid root
explained 0 ssh/harmless --path "$key.pub" --exe /usr/bin/cat --uid fw-alice
explained 0 ssh/list --path "$home/.ssh" --op list --exe /usr/bin/ls --uid fw-alice

[ -z "$made" ] || rmdir /run/sshd
