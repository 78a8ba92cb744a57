# promise: make install puts files where it is told, leaves a policy alone, and its unit is as confined as SECURITY.md says
. tests/system/lib.sh
setup
need systemd-analyze make

install_files() {
    MAKEFLAGS='' make -s "$1" BUILD="$BUILD" DESTDIR="$T/stage" PREFIX=/opt/fileward SYSCONFDIR=/opt/etc >"$T/made" 2>&1 ||
        fail "make $1: $(cat "$T/made")"
}

installed() {
    (cd "$T/stage" && find . -type f -o -type l | sed 's/^\.//' | sort)
}

install_files install-files
unit=/opt/fileward/lib/systemd/system/fileward.service
policies=$(cd policy && printf '/opt/etc/fileward/policy.d/%s\n' *.ini && printf '/opt/fileward/share/fileward/policy/%s\n' *.ini)
assert_equal "$(installed)" "$(sort <<END
/opt/etc/fileward/fileward.ini
/opt/etc/logrotate.d/fileward
/opt/fileward/lib/sysusers.d/fileward.conf
$unit
/opt/fileward/lib/tmpfiles.d/fileward.conf
/opt/fileward/sbin/fileward
/opt/fileward/share/man/man8/fileward.8
$policies
END
)" "what is installed"
assert_equal "$(find "$T/stage" -perm /022 ! -type l)" "" "what others than root can write"
assert "$FILEWARD" check -c "$T/stage/opt/etc/fileward/fileward.ini"
grep -q '^mode *= *audit' "$T/stage/opt/etc/fileward/fileward.ini" || fail "what is installed does not begin in audit mode"

# What the unit starts is what was installed, with the policy that was installed.
! grep -n '@[A-Z]*@' "$T/stage$unit" || fail "a path in the unit is not filled in"
grep -qx 'ExecStart=/opt/fileward/sbin/fileward run -c /opt/etc/fileward/fileward.ini' "$T/stage$unit" ||
    fail "ExecStart does not follow PREFIX and SYSCONFDIR: $(grep ExecStart "$T/stage$unit")"

# systemd understands every line of it.
verify() {
    sed "s|/opt/fileward/sbin|$T/stage&|" "$T/stage$unit" >"$T/fileward.service"
    systemd-analyze verify --man=no "$T/fileward.service"
}
assert_equal "$(verify 2>&1 | grep -F fileward.service)" "" "what systemd says about the unit"

# The figure is systemd 252's; a later one may count otherwise.
stated=$(sed -n 's/.*exposure of \([0-9]\)\.\([0-9]\).*/\1\2/p' SECURITY.md)
[ "$stated" ] || fail "SECURITY.md does not say how exposed the unit is"
expose() {
    systemd-analyze security --no-pager --offline=true --threshold="$1" "$T/fileward.service" >"$T/exposure"
}
case $(systemctl --version) in
"systemd 252 "*) expose "$stated" || fail "more exposed than SECURITY.md says: $(tail -n 1 "$T/exposure")" ;;
esac

# A policy and a rotation that are there stay as they are, whatever is missing of the shipped ones.
echo "# mine" >"$T/stage/opt/etc/fileward/fileward.ini"
echo "# mine" >"$T/stage/opt/etc/logrotate.d/fileward"
rm "$T/stage/opt/etc/fileward/policy.d/etc.ini"
before=$(installed)
install_files install-files
assert_equal "$(cat "$T/stage/opt/etc/"{fileward/fileward.ini,logrotate.d/fileward})" "$(printf '# mine\n# mine')" "what was there"
assert_equal "$(installed)" "$before" "what is installed the second time"

install_files uninstall
assert_equal "$(installed)" "$(grep '^/opt/etc/fileward/' <<<"$before")" "what uninstall leaves"
