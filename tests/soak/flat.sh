# promise: memory, descriptors and processor time of every role are the same after a million decisions and 10,000 short-lived subjects
# timeout: 900
# shellcheck source=tests/system/143-flat.sh
DECISIONS=${DECISIONS:-1000000}
SUBJECTS=${SUBJECTS:-10000}
. tests/system/143-flat.sh
