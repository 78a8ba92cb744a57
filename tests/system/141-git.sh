# promise: git in a guarded repository does what it does without a guard: in enforce with a rule, in audit with none
. tests/system/lib.sh
setup
need git
user=1000
COMMAND_SECONDS=60
place=$T/guarded/place
seed=$T/seed
mkdir "$T/home"
chown $user "$T/home"

# The same time and name at each commit, so that the same hashes come of it.
export HOME=$T/home GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_AUTHOR_DATE="2026-01-01T00:00:00Z"
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost GIT_COMMITTER_DATE="2026-01-01T00:00:00Z"

# What is done to it; what comes of it is printed.
cat >"$T/work" <<'WORK'
set -e
cd "$1"
git status --porcelain
for i in 1 2 3 4 5; do
    echo "more $i" >>"dir/file$i"
    git add "dir/file$i"
    git commit -qm "change $i"
done
git checkout -qb side HEAD~3
git mv dir/file40 dir/moved
git rm -q dir/file41
git commit -qm "moved and removed"
git checkout -q main
git merge -q -m merged side
git stash list
git diff --stat HEAD~4
git log --format='%H %s' --stat | cat
git clone -q . ../clone
git -C ../clone fsck --strict
git gc -q --prune=now
git fsck --strict
git archive HEAD | sha256sum
git status --porcelain --ignored
git rev-parse HEAD 'HEAD^{tree}'
WORK
mkdir "$seed"
(
    cd "$seed" && git init -q -b main && mkdir dir
    for i in {1..50}; do echo "file $i" >"dir/file$i"; done
    git add . && git commit -qm first
) || fail "cannot make a repository"

anew() {
    rm -rf "$place"
    mkdir "$place"
    cp -r "$seed" "$place/repository"
    chown -R $user:$user "$place"
}

# work WHEN: its output must be that of the first time.
work() {
    as_user $user bash "$T/work" "$place/repository" >"$T/said" 2>&1 || fail "$1: git failed: $(tail "$T/said")"
    [ -e "$T/unguarded" ] || cp "$T/said" "$T/unguarded"
    diff "$T/unguarded" "$T/said" >"$T/difference" || fail "$1: not the same: $(head "$T/difference")"
}

anew
work "no guard"
grep -q merged "$T/unguarded" || fail "git did not do the work: $(cat "$T/unguarded")"

anew
guard <<END
[watch w]
path = $place
default = deny
[rule w/git]
action = allow
exe = /usr/**
uid = owner
END
expect_eperm as_user $((user + 1)) cat "$place/repository/.git/HEAD"
work "in enforce with a rule"
stop
anew
guard "mode = audit" <<END
[watch w]
path = $place
default = deny
log = all
END
work "in audit without a rule"
record_has '.verdict == "allow" and .decision == "deny" and (.object.path | test("/objects/"))'
assert_equal "$(record_count '.verdict == "deny"')" 0 "refusals in audit mode"
stop
assert_equal "$(record_count '.kind == "timeout" or .kind == "rescue" or .kind == "gap"')" 0 "records of trouble"
