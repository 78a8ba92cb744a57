# promise: op, path, object, expires and the order of rules: the first rule that names the operation and holds decides
. tests/system/lib.sh
setup
opener=$BUILD/tests/opener
mkdir "$T/guarded/ops" "$T/guarded/order" "$T/guarded/public" "$T/guarded/place" "$T/guarded/place/sub" "$T/guarded/time"
for file in ops/file order/file public/public public/secret public/loose public/users place/a place/b place/sub/c \
    time/file; do
    echo x >"$T/guarded/$file"
done
cp /bin/true "$T/guarded/ops/program"
chmod 644 "$T/guarded/public/public"
chmod 640 "$T/guarded/public/secret"
chmod 664 "$T/guarded/public/loose"
chown 1000 "$T/guarded/public/users"
cat=$(readlink -f "$(command -v cat)")
head=$(readlink -f "$(command -v head)")

guard <<END
[watch ops]
path = $T/guarded/ops
default = deny
log = all
[rule ops/read]
action = allow
op = read
uid = 1 5
[rule ops/write]
action = allow
op = write
uid = 2
[rule ops/exec]
action = allow
op = exec
uid = 3
[rule ops/list]
action = allow
op = list
uid = 4
[rule ops/both]
action = allow
op = list exec
uid = 5
[rule ops/any]
action = allow
op = any
uid = 6
[rule ops/all]
action = allow
uid = 7

[watch order]
path = $T/guarded/order
default = allow
log = all
[rule order/cat]
action = allow
exe = $cat
op = read
[rule order/nobody]
action = deny
uid = 0
op = read write
[rule order/never]
action = allow
exe = $head

[watch public]
path = $T/guarded/public
default = deny
[rule public/public]
action = allow
object = public
op = read list

[watch place]
path = $T/guarded/place
default = deny
[rule place/a]
action = allow
path = $T/guarded/place/a $T/guarded/place/**/c

[watch time]
path = $T/guarded/time
default = deny
log = all
[rule time/past]
action = allow
expires = 2020-01-01T00:00Z
[rule time/future]
action = allow
exe = $cat
expires = 2999-12-31T23:59:59Z
[rule time/soon]
action = allow
exe = $head
expires = $(date -u -d '3 seconds' +%Y-%m-%dT%H:%M:%SZ)
END

# What each user may: read write exec list.
expectation=("1 ok no no no" "2 no ok no no" "3 no no ok no" "4 no no no ok" "5 ok no ok ok" "6 ok ok ok ok" "7 ok ok ok ok"
    "8 no no no no")
chmod 666 "$T/guarded/ops/file"
for line in "${expectation[@]}"; do
    read -r uid can_read can_write can_exec can_list <<<"$line"
    want() {
        if [ "$1" = ok ]; then
            expect_ok as_user "${@:2}"
        else
            expect_eperm as_user "${@:2}"
        fi
    }
    want "$can_read" "$uid" "$opener" read "$T/guarded/ops/file"
    want "$can_write" "$uid" "$opener" write "$T/guarded/ops/file"
    want "$can_exec" "$uid" "$T/guarded/ops/program"
    want "$can_list" "$uid" "$opener" list "$T/guarded/ops"
done
for op in read write exec list; do
    record_has '.rule == "ops/'$op'" and .op == "'$op'" and .verdict == "allow"'
    record_has '.rule == "ops/default" and .op == "'$op'" and .subject.uid == 8 and .verdict == "deny"'
    [ "$(decided ops ops/$op $op allow allow)" -ge 1 ] || fail "ops/$op is not counted"
done

# Read and write of one subject may be decided by different rules.
expect_ok cat "$T/guarded/order/file"
expect_eperm head "$T/guarded/order/file"
record_has '.rule == "order/nobody" and .verdict == "deny" and .op == "read" and .reason == "rule"'
expect_eperm sh -c "echo x >>'$T/guarded/order/file'"
expect_ok as_user 1 "$opener" read "$T/guarded/order/file"
expect_ok ls "$T/guarded/order"
record_has '.rule == "order/default" and .op == "list" and .verdict == "allow"'

expect_ok cat "$T/guarded/public/public"
for file in secret loose users; do
    expect_eperm cat "$T/guarded/public/$file"
done
chmod o-r "$T/guarded/public/public"
expect_eperm cat "$T/guarded/public/public"

expect_ok cat "$T/guarded/place/a"
expect_ok cat "$T/guarded/place/sub/c"
expect_eperm cat "$T/guarded/place/b"
# A place is not a name: what has the name of an allowed place now may have been guarded under another.
mv "$T/guarded/place/b" "$T/guarded/place/a"
expect_eperm cat "$T/guarded/place/a"

expect_ok cat "$T/guarded/time/file"
expect_ok head "$T/guarded/time/file"
expect_eperm tail "$T/guarded/time/file"
over() {
    ! head "$T/guarded/time/file" >/dev/null 2>&1
}
until_true 6 over || fail "a rule past its time still holds"
expect_eperm head "$T/guarded/time/file"
