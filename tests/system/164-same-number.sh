# promise: who gets the number of a process that was known is not taken for it: program, ids, parent, reading
. tests/system/lib.sh
setup
opener=$BUILD/tests/opener
cp "$opener" "$T/known"
cp "$opener" "$T/stranger"
cp "$opener" "$T/parent"
cp /bin/bash "$T/shell"
for watch in exe uid parent ancestor shell read; do
    mkdir "$T/guarded/$watch"
    echo x >"$T/guarded/$watch/file"
done
chmod 755 "$T" "$T/guarded"
guard <<END
[watch exe]
path = $T/guarded/exe
default = deny
[rule exe/r]
action = allow
exe = $T/known
[watch uid]
path = $T/guarded/uid
default = deny
[rule uid/r]
action = allow
uid = 1111
[watch parent]
path = $T/guarded/parent
default = deny
[rule parent/r]
action = allow
parent = $T/parent
[watch ancestor]
path = $T/guarded/ancestor
default = deny
[rule ancestor/r]
action = allow
ancestor = $T/parent
[watch shell]
path = $T/guarded/shell
default = deny
[rule shell/r]
action = allow
ancestor = $T/shell
[watch read]
path = $T/guarded/read
default = deny
[rule read/r]
action = allow
op = read
END
last=$(</proc/sys/kernel/pid_max)
free_number() {
    while last=$((last - 1)) && [ -e "/proc/$last" ]; do :; done
}
# as_number PARENT COMMAND...: as a child of the program PARENT whose number is $last, after whoever had it.
as_number() {
    local parent=$1 status
    shift
    timeout -s KILL "$COMMAND_SECONDS" "$parent" numbered "$last" "$@"
    status=$?
    [ $status != 126 ] || skip "no process gets a certain number here: $(cat "$T/said" 2>/dev/null)"
    return $status
}
allowed() {
    expect_ok as_number "$@"
}
refused() {
    as_number "$@" >"$T/said" 2>&1 && fail "line ${BASH_LINENO[0]}: should be refused: $*"
    grep -q 'Operation not permitted' "$T/said" || fail "line ${BASH_LINENO[0]}: $*: $(cat "$T/said")"
}
free_number
for _ in 1 2 3; do
    allowed "$opener" "$T/known" read "$T/guarded/exe/file"
    refused "$opener" "$T/stranger" read "$T/guarded/exe/file"
    allowed "$opener" "$T/known" thread 1111 "$T/guarded/exe/file"
    refused "$opener" "$T/stranger" read "$T/guarded/uid/file"
    allowed "$opener" /usr/bin/setpriv --reuid 1111 --clear-groups -- "$T/stranger" read "$T/guarded/uid/file"
    refused "$opener" "$T/known" read "$T/guarded/uid/file"
    allowed "$T/parent" "$T/known" read "$T/guarded/parent/file"
    refused "$opener" "$T/known" read "$T/guarded/parent/file"
    allowed "$T/parent" "$T/known" read "$T/guarded/ancestor/file"
    refused "$opener" "$T/known" read "$T/guarded/ancestor/file"
    allowed "$opener" "$T/known" read "$T/guarded/read/file"
    refused "$opener" "$T/known" write "$T/guarded/read/file"
    allowed "$opener" "$T/stranger" read "$T/guarded/read/file"
done

# The other way round: the number of the one who asks stays, that of its parent is another's.
# children PROGRAM WATCH: how many of two children of a process with the number $last that runs PROGRAM are allowed.
children() {
    as_number "$opener" "$1" new 2 "$T/guarded/$2/file"
}
free_number
for _ in 1 2 3; do
    for watch in parent ancestor; do
        assert_equal "$(children "$T/parent" $watch)" "opened 2" "$watch: children of the parent"
        assert_equal "$(children "$T/stranger" $watch)" "opened 0" "$watch: children of a stranger with its number"
    done
done

# Somebody's parent ends, and a process that is known as well gets the parent's number: it is not the parent.
cat >"$T/child" <<END
cat '$T/guarded/shell/file' >'$T/first'
until [ -e '$T/go' ]; do sleep 0.02; done
cat '$T/guarded/shell/file' 2>&1 | cat >'$T/second.new'
mv '$T/second.new' '$T/second'
END
free_number
rm -f "$T/first" "$T/second" "$T/go"
"$opener" numbered "$last" "$T/shell" -c "timeout -s KILL 60 /bin/bash '$T/child' & wait" &
until_true 10 test -s "$T/first" || fail "the child of the shell is refused"
kill -KILL "$last"
until_true 10 is_gone "$last" || fail "the shell does not end"
"$opener" numbered "$last" "$T/shell" -c "cat '$T/guarded/shell/file'; : >'$T/known-too'; sleep 60; :" >/dev/null &
until_true 10 test -e "$T/known-too" || fail "the second shell does not start"
: >"$T/go"
until_true 10 test -s "$T/second" || fail "the child does not go on"
kill -KILL "$last"
grep -q 'Operation not permitted' "$T/second" || fail "a child of nobody: $(cat "$T/second")"
