# promise: files replaced 1,000 times as real programs do it are never open to a reader that never stops trying
# timeout: 3600
# shellcheck source=tests/system/043-replaced.sh
ROUNDS=${ROUNDS:-1000}
. tests/system/043-replaced.sh
