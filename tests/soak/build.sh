# promise: make -j4 of a larger project (600 modules) in a guarded tree gives the same bytes as without a guard
# timeout: 600
# shellcheck source=tests/system/140-build.sh
MODULES=${MODULES:-600}
. tests/system/140-build.sh
