# promise: fileward guards what it stands on, ROUNDS times (15) from start to end, each role dying and stopped in between: no deadlock
# timeout: 900
ROUNDS=${ROUNDS:-15}
began=$SECONDS
for ((i = 0; i < ROUNDS; i++)); do
    env -u FILEWARD_TEST_DIR bash tests/system/142-own-house.sh || exit
done
echo "figures: $ROUNDS rounds of 142-own-house in $((SECONDS - began)) s"
