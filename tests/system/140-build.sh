# promise: make -j4 in a guarded tree gives the same bytes as without a guard: in enforce with a rule, in audit with none
. tests/system/lib.sh
setup
need make gcc
user=1000
COMMAND_SECONDS=60
tree=$T/guarded/project
modules=${MODULES:-60}

# A library of many modules, each with its header, and a program that says what came of it.
write_project() {
    local i
    mkdir -p "$tree/src" "$tree/include" "$tree/obj"
    for ((i = 0; i < modules; i++)); do
        echo "unsigned mix_$i(unsigned x);" >"$tree/include/mix_$i.h"
        printf '#include "mix_%d.h"\nunsigned mix_%d(unsigned x)\n{\n    return x * %du + (x >> %d);\n}\n' \
            $i $i $((2 * i + 3)) $((i % 31 + 1)) >"$tree/src/mix_$i.c"
    done
    {
        echo '#include <stdio.h>'
        for ((i = 0; i < modules; i++)); do echo "#include \"mix_$i.h\""; done
        echo 'int main(void)'
        echo '{'
        echo '    unsigned x = 1;'
        for ((i = 0; i < modules; i++)); do echo "    x = mix_$i(x);"; done
        # shellcheck disable=SC2028 # it is C
        echo '    printf("%u\n", x);'
        echo '}'
    } >"$tree/src/main.c"
    cat >"$tree/Makefile" <<'MAKE'
OBJ = $(patsubst src/%.c,obj/%.o,$(filter-out src/main.c,$(wildcard src/*.c)))
said: program
	./program > $@
program: src/main.c libmix.a
	gcc -O1 -g -Iinclude -o $@ $^
libmix.a: $(OBJ)
	rm -f $@
	ar rcs $@ $^
obj/%.o: src/%.c
	gcc -O1 -g -Iinclude -MMD -MP -c -o $@ $<
-include $(OBJ:.o=.d)
MAKE
    chown -R $user:$user "$tree"
}

make_it() {
    as_user $user env -u MAKEFLAGS -u MAKELEVEL make -s -C "$tree" "$@"
}

# Before a guard is up, which would not let us list what there is to remove.
clean() {
    find "$tree/obj" -type f -delete
    rm -f "$tree/libmix.a" "$tree/program" "$tree/said"
}

build() { # WHEN
    local began=${EPOCHREALTIME/./}
    make_it -j4 >"$T/said" 2>&1 || fail "$1: the build failed: $(tail "$T/said")"
    echo "figures: make -j4 of $modules modules, $1: $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
}

hashes() {
    (cd "$tree" && find . -type f -exec sha256sum {} + | sort)
}

# decisions RULE VERDICT: how many, of whatever operation.
decisions() {
    http /metrics | awk -v rule="rule=\"$1\"" -v verdict="verdict=\"$2\"" \
        '/^fileward_decisions_total/ && index($1, rule) && index($1, verdict) { n += $2 } END { print n + 0 }'
}

# expect_same WHEN: the bytes are those of the unguarded build. The guard ends before: it would refuse whoever compares.
expect_same() {
    stop
    hashes >"$T/now"
    diff "$T/unguarded" "$T/now" >"$T/difference" || fail "$1: not the same: $(head "$T/difference")"
    assert_equal "$(record_count '.kind == "timeout" or .kind == "rescue" or .kind == "gap"')" 0 "$1: records of trouble"
}

write_project
build "no guard"
hashes >"$T/unguarded"
clean
assert_equal "$(grep -c '\.o$' "$T/unguarded")" "$modules" "objects"

# Without a rule nothing can be read, so that the guard is proven to be there.
guard <<END
[watch w]
path = $tree
default = deny
END
make_it -j4 >"$T/said" 2>&1 && fail "a build without a rule succeeded"
[ "$(decisions w/default deny)" -gt 0 ] || fail "nothing was refused: $(cat "$T/said")"
stop

clean
guard <<END
[watch w]
path = $tree
default = deny
[rule w/tools]
action = allow
exe = /usr/** $tree/**
uid = owner
END
build "in enforce with a rule"
assert_equal "$(decisions w/default deny)" 0 "refusals"
asked=$(decisions w/tools allow)
[ "$asked" -ge $((modules * 3)) ] || fail "the build was asked about only $asked times"
expect_eperm as_user $((user + 1)) cat "$tree/program"
expect_same "in enforce with a rule"

clean
guard "mode = audit" <<END
[watch w]
path = $tree
default = deny
log = all
END
build "in audit without a rule"
assert_equal "$(decisions w/default deny)" 0 "refusals in audit mode"
[ "$(decisions w/default allow)" -ge $((modules * 3)) ] || fail "the build was asked about only $(decisions w/default allow) times"
expect_same "in audit without a rule"
