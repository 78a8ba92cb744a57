# promise: what appears and is opened at once may not be asked about: the number is told; a moment later all of it is guarded; in a marked directory none is missed
# timeout: 300
. tests/system/lib.sh
setup
TIMES=${TIMES:-200}
COMMAND_SECONDS=240
mkdir -p "$T/guarded/dir" "$T/out" "$T/links"
chmod 755 "$T"
chmod 777 "$T/guarded/dir" "$T/out" "$T/links"
cp "$BUILD/tests/racer" "$T/racer"
guard <<END
[watch w]
path = $T/guarded/dir
default = deny
END
# asked WAY: through another name of it, so by its own mark.
asked() {
    local file=$T/guarded/dir/$1.$((TIMES - 1))
    [ ! -d "$file" ] || file=$file/file
    rm -f "$T/links/link"
    ln "$file" "$T/links/link" && ! limited cat "$T/links/link" >/dev/null 2>&1
}
none_is_free() {
    local file i
    for ((i = 0; i < TIMES; i++)); do
        file=$T/guarded/dir/$1.$i
        [ ! -d "$file" ] || file=$file/file
        rm -f "$T/links/link"
        ln "$file" "$T/links/link" || fail "$file is not there"
        ! limited "$BUILD/tests/opener" read "$T/links/link" >/dev/null 2>&1 || fail "free: $file"
    done
}
for way in mkdir tree link file; do
    expect_ok "$T/racer" $way "$TIMES" "$T/guarded/dir" "$T/out"
    said=$OUTPUT
    echo "$said"
    until_true 10 asked $way || fail "$way: the last one is not guarded"
    none_is_free $way
    [ $way != file ] || [[ $said == *"refused $TIMES, not asked about 0" ]] || fail "$said"
done
assert_equal "$(metric fileward_rescans_total)" 0 "rescans"
