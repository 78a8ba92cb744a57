# promise: the shipped policies pass check, and explain decides the cases for which they were written
. tests/system/lib.sh
setup

# explain looks at the owner and mode of files, so they must be there; the machine's own keys are nobody's business.
mkdir -p "$T/root/.ssh" "$T/conf/policy.d"
touch "$T/root/.ssh"/{id_ed25519,id_ed25519.pub,known_hosts,authorized_keys,config}
chmod 600 "$T/root/.ssh/id_ed25519"
mount --bind "$T/root" /root || fail "cannot hide /root"
settings >"$T/conf/fileward.ini"
chmod 600 "$T/conf/fileward.ini"
install -m 644 policy/*.ini "$T/conf/policy.d/"

expect_ok "$FILEWARD" check -c "$T/conf/fileward.ini"
[[ $OUTPUT != *replaces* ]] || fail "the shipped policies get into each other's way: $OUTPUT"
# Of what --strict warns, only missing programs are as they should be: the policies name more than one machine has.
OUTPUT=$("$FILEWARD" check --strict -c "$T/conf/fileward.ini" 2>&1)
unexpected=$(grep 'warning: ' <<<"$OUTPUT" | grep -vE 'does not exist( yet)?$|matches nothing$|is not a file; DIRECTORY')
[ -z "$unexpected" ] || fail "check --strict: $unexpected"
# Each of them is whole without the others, too.
for policy in policy/*.ini; do
    install -m 644 "$policy" "$T/conf/alone.ini"
    mkdir -p "$T/alone"
    install -m 644 "$T/conf/fileward.ini" "$T/alone/fileward.ini"
    rm -rf "$T/alone/policy.d"
    install -D -m 644 "$policy" "$T/alone/policy.d/${policy##*/}"
    expect_ok "$FILEWARD" check -c "$T/alone/fileward.ini"
done
# A reason for everybody whom a rule concerns.
for policy in policy/*.ini; do
    assert_equal "$(grep -c '^reason ' "$policy")" "$(grep -c '^\[rule ' "$policy")" "reasons in $policy"
done

# STATUS RULE OPERATION PATH PROGRAM OPTIONS...
while read -r status rule op path program options; do
    [ -e "$program" ] || continue
    # shellcheck disable=SC2086 # a list of options
    expect_status "$status" "$FILEWARD" explain -c "$T/conf/fileward.ini" --op "$op" --path "$path" --exe "$program" $options
    [[ $OUTPUT == *"$rule"* ]] || fail "$op $path by $program $options: not by $rule: $OUTPUT"
done <<END
0 ssh/tools read /root/.ssh/id_ed25519 /usr/bin/ssh --uid root
0 ssh/tools write /root/.ssh/known_hosts /usr/bin/ssh --uid root
5 ssh/default read /root/.ssh/id_ed25519 /usr/bin/ssh --uid daemon
5 ssh/default read /root/.ssh/id_ed25519 /usr/bin/scp --uid root
5 ssh/default read /root/.ssh/id_ed25519 /usr/bin/cat --uid root
5 ssh/default read /root/.ssh/id_ed25519 /usr/bin/vim.basic --uid root
0 ssh/sshd read /root/.ssh/authorized_keys /usr/sbin/sshd --uid root
5 ssh/default write /root/.ssh/authorized_keys /usr/sbin/sshd --uid root
5 ssh/default write /root/.ssh/authorized_keys /usr/bin/dash --uid root
0 ssh/editors write /root/.ssh/authorized_keys /usr/bin/vim.basic --uid root
0 ssh/editors write /root/.ssh/config /usr/bin/vim.basic --uid root
0 ssh/harmless read /root/.ssh/id_ed25519.pub /usr/bin/cat --uid root
0 ssh/list list /root/.ssh /usr/bin/ls --uid root
0 ssh/cloud write /root/.ssh/authorized_keys /usr/bin/perl --uid root --unit cloud-init.service
5 ssh/default write /root/.ssh/authorized_keys /usr/bin/perl --uid root --unit cron.service
0 etc/public-users read /etc/passwd /usr/bin/cat --uid daemon
0 etc/public read /etc/passwd /usr/bin/cat --uid root
5 etc/default write /etc/passwd /usr/bin/cat --uid root
0 etc/accounts write /etc/passwd /usr/sbin/useradd --uid root
0 etc/accounts write /etc/passwd+ /usr/sbin/useradd --uid root
0 etc/shadow-accounts write /etc/shadow /usr/bin/passwd --uid root
0 etc/shadow-accounts write /etc/nshadow /usr/bin/passwd --uid root
0 etc/shadow-read read /etc/shadow /usr/sbin/unix_chkpwd --uid daemon
0 etc/shadow-read read /etc/shadow /usr/sbin/sshd --uid root
5 etc/shadow-nobody-else write /etc/shadow /usr/sbin/sshd --uid root
5 etc/shadow-nobody-else read /etc/shadow /usr/bin/cat --uid root
5 etc/shadow-nobody-else read /etc/shadow- /usr/bin/perl --uid root
5 etc/shadow-nobody-else write /etc/shadow /usr/bin/vim.basic --uid root
0 etc/shadow-vipw write /etc/shadow.edit /usr/bin/vim.basic --uid root --ancestor /usr/sbin/vipw
0 etc/package-tools write /etc/hosts /usr/bin/dpkg --uid root
0 etc/package-scripts write /etc/shadow /usr/bin/dash --uid root --ancestor /usr/bin/apt-get --ancestor /usr/bin/dpkg
5 etc/default write /etc/hosts /usr/bin/dash --uid root --ancestor /usr/bin/bash
0 etc/administrator write /etc/hosts /usr/bin/vim.basic --uid root
5 etc/sudoers-nobody-else read /etc/sudoers /usr/bin/cat --uid root
0 etc/sudoers-edit write /etc/sudoers.d/x /usr/bin/vim.basic --uid root
0 etc/hostkeys-read read /etc/ssh/ssh_host_rsa_key /usr/sbin/sshd --uid root
5 etc/hostkeys-nobody-else read /etc/ssh/ssh_host_rsa_key /usr/bin/ssh --uid root
0 etc/hostkeys-make write /etc/ssh/ssh_host_rsa_key /usr/bin/ssh-keygen --uid root
5 etc/tls-keys-nobody-else read /etc/ssl/private/x.key /usr/bin/cat --uid root
0 etc/tls-keys read /etc/ssl/private/x.key /usr/bin/openssl --uid root
0 etc/tls-keys-services read /etc/ssl/private/x.key /usr/bin/cat --uid daemon
0 etc/letsencrypt write /etc/letsencrypt/live/x.key /usr/bin/perl --uid root --unit certbot.service
5 etc/credentials-nobody-else read /etc/wireguard/wg0.conf /usr/bin/perl --uid root
0 etc/management write /etc/hosts /usr/bin/perl --uid root --unit puppet.service
0 etc/systemd write /etc/machine-id /usr/lib/systemd/systemd --uid root
0 etc/system-tools write /etc/ld.so.cache /usr/sbin/ldconfig --uid root
0 etc/network-scripts write /etc/resolv.conf /usr/bin/dash --uid root --ancestor /usr/sbin/dhclient
END
