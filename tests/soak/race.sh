# promise: of 2,000 directories made and read at once, trees moved in and files linked out at once, so many are not asked about; a moment later none is free
# timeout: 1800
# shellcheck source=tests/system/045-race.sh
TIMES=${TIMES:-2000}
. tests/system/045-race.sh
