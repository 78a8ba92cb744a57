# promise: condition unit: the service that the system manager started; a unit that a user made below is not meant
. tests/system/lib.sh
setup
echo x >"$T/guarded/file"

# Where the manager's groups are: the hierarchy of its own, else the unified one.
hierarchy=$(awk '$0 ~ / - cgroup / && /name=systemd/ { print $5; exit }' /proc/self/mountinfo)
[ "$hierarchy" ] || hierarchy=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
[ "$hierarchy" ] || skip "no control groups are mounted"
mine=$(awk -F: '$2 == "name=systemd" { print $3; found = 1 } $1 == 0 { unified = $3 } END { if (!found) print unified }' \
    /proc/self/cgroup)
name=fwtest-$$
top=$hierarchy/$name.slice
groups=("$top/$name.service/sub" "$top/$name.service" "$top/user@1000.service/app.slice/$name.service"
    "$top/user@1000.service/app.slice" "$top/user@1000.service" "$top/other.service" "$top")
remove_groups() {
    rmdir "${groups[@]}" 2>/dev/null
    [ ! -d "$top" ]
}
trap 'status=$?; until_true 5 remove_groups; (exit $status); finish' EXIT
mkdir "$top" 2>/dev/null || skip "no control group can be made at $hierarchy"
mkdir -p "${groups[@]}"
[ "$mine" ] || skip "this process is in no control group"

guard <<END
[watch w]
path = $T/guarded
default = deny
log = all
[rule w/unit]
action = allow
unit = $name.service other.scope
END

# within GROUP PROGRAM: reads the file from there.
within() {
    timeout -s KILL "$COMMAND_SECONDS" sh -c "echo \$\$ >'$top/$1/cgroup.procs' && exec $2 '$T/guarded/file'"
}
expect_eperm cat "$T/guarded/file"
expect_ok within "$name.service" cat
record_has '.subject.unit == "'$name'.service" and .verdict == "allow"'
expect_ok within "$name.service/sub" cat
expect_eperm within other.service head
record_has '.subject.unit == "other.service" and .verdict == "deny"'
expect_eperm within "user@1000.service/app.slice/$name.service" tail
record_has '.subject.unit == "user@1000.service" and .verdict == "deny"'
# It survives what an ancestor does not: a double fork.
expect_ok sh -c "echo \$\$ >'$top/$name.service/cgroup.procs' &&
    timeout 5 setsid --fork --wait setsid --wait cat '$T/guarded/file'"
