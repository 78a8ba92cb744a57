# promise: a judge stopped STOPS times (500) at any instruction, one opener waiting: always released in time
# timeout: 600
# shellcheck source=tests/system/118-stopped-judge.sh
STOPS=${STOPS:-500}
. tests/system/118-stopped-judge.sh
