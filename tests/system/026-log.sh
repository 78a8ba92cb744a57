# promise: key log: none records nothing, deny refusals only (and is what one gets), all everything; all are counted
. tests/system/lib.sh
setup
cat=$(readlink -f "$(command -v cat)")
{
    for level in none deny all default; do
        mkdir "$T/guarded/$level"
        echo x >"$T/guarded/$level/file"
        echo "[watch $level]"
        echo "path = $T/guarded/$level"
        echo "default = deny"
        [ $level = default ] || echo "log = $level"
        echo "[rule $level/cat]"
        echo "action = allow"
        echo "exe = $cat"
    done
} >"$T/policy"
guard <"$T/policy"
for level in none deny all default; do
    expect_ok cat "$T/guarded/$level/file"
    expect_eperm head "$T/guarded/$level/file"
    assert_equal "$(decided "$level" "$level/cat" any allow allow)" 1 "$level: allowed"
    assert_equal "$(decided "$level" "$level/default" read deny deny)" 1 "$level: refused"
done
record_has '.watch == "default" and .decision == "deny"'
for wanted in "none 0 0" "deny 0 1" "all 1 1" "default 0 1"; do
    read -r level allowed denied <<<"$wanted"
    assert_equal "$(record_count '.watch == "'"$level"'" and .decision == "allow"')" "$allowed" "$level: allowed"
    assert_equal "$(record_count '.watch == "'"$level"'" and .decision == "deny"')" "$denied" "$level: refused"
done
