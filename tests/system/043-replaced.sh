# promise: files replaced as real programs do it (mv, sed -i, vim, git, usermod, useradd) are never open to a reader that never stops trying
# timeout: 240
. tests/system/lib.sh
setup
need vim git useradd
ROUNDS=${ROUNDS:-12}
COMMAND_SECONDS=$((ROUNDS * 3 + 60))
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_GLOBAL=/dev/null HOME=$T
chmod 755 "$T"
cp "$BUILD/tests/opener" "$T/opener"
mkdir -p "$T/guarded/tree" "$T/guarded/root/etc" "$T/guarded/beside" "$T/out"
for file in tree/file beside/file; do
    echo 0 >"$T/guarded/$file"
done
git init -q "$T/guarded/tree"
git -C "$T/guarded/tree" add file && git -C "$T/guarded/tree" commit -qm one
echo 1 >"$T/guarded/tree/file" && git -C "$T/guarded/tree" commit -qam two
git -C "$T/guarded/tree" branch two && git -C "$T/guarded/tree" branch one HEAD~1
cp /etc/passwd /etc/group "$T/guarded/root/etc/"
cp /etc/shadow /etc/gshadow "$T/guarded/root/etc/" 2>/dev/null || pwconv --prefix "$T/guarded/root"
chmod 644 "$T/guarded/root/etc/"* # that nobody but fileward refuses

guard <<END
[watch tree]
path = $T/guarded/tree
default = deny
[rule tree/root]
action = allow
uid = 0
[watch single]
path = $T/guarded/beside/file $T/guarded/root/etc/passwd $T/guarded/root/etc/shadow
default = deny
[rule single/root]
action = allow
uid = 0
END

# Ways to replace a file: WAY FILE N.
by_mv() { echo "$2" >"$T/out/new" && mv "$T/out/new" "$1"; }
by_mv_beside() { echo "$2" >"${1%/*}/.new" && mv "${1%/*}/.new" "$1"; }
by_sed() { sed -i "s/.*/$2/" "$1"; }
by_vim() { vim -es -u NONE -c "set backupcopy=no backup" -c "%s/.*/$2/" -c 'wq!' "$1" && rm -f "$1~"; }
by_exchange() { echo "$2" >"$T/out/other" && mv --exchange "$T/out/other" "$1"; }
by_link() { echo "$2" >"$T/out/linked" && rm -f "$1" && ln "$T/out/linked" "$1" && rm "$T/out/linked"; }
by_git() { git -C "${1%/*}" checkout -q "$([ $(($2 % 2)) = 0 ] && echo two || echo one)"; }
by_usermod() { usermod -P "$T/guarded/root" -p "!$2" root; }
by_useradd() { useradd -P "$T/guarded/root" "user$2"; }
ways="by_mv by_mv_beside by_sed by_vim by_link"
mv --exchange --version >/dev/null 2>&1 && ways+=" by_exchange"

readers=()
for file in tree/file beside/file root/etc/passwd root/etc/shadow; do
    as_user 1000 "$T/opener" read "$T/guarded/$file" >/dev/null 2>&1 && fail "not guarded from the start: $file"
    as_user 1000 "$T/opener" many 0 "$T/guarded/$file" >"$T/out/said.${file//\//.}" &
    readers+=($!)
done
replace() { # WAY FILE
    local i was now
    for ((i = 1; i <= ROUNDS; i++)); do
        was=$(stat -c %i "$T/guarded/$2")
        $1 "$T/guarded/$2" $i >"$T/out/way" 2>&1 || fail "$1 $2: $(cat "$T/out/way")"
        now=$(stat -c %i "$T/guarded/$2")
        [ "$was" != "$now" ] || fail "$1 did not replace $2"
    done
}
for way in $ways; do
    replace "$way" tree/file
    replace "$way" beside/file
done
git -C "$T/guarded/tree" reset -q --hard
replace by_git tree/file
replace by_usermod root/etc/shadow
replace by_useradd root/etc/passwd

pkill -TERM -f "^$T/opener many"
wait "${readers[@]}"
for said in "$T/out"/said.*; do
    echo "${said##*/}: $(cat "$said")"
    grep -q '^opened 0 refused [1-9]' "$said" || fail "${said##*/}: $(cat "$said")"
done
assert_equal "$(metric fileward_rescans_total)" 0 "rescans"
