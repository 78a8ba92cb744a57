# promise: 100,000 files in 10,000 directories moved in, moved out and removed: marked, forgotten, and marks and memory are as before
# timeout: 1800
# shellcheck source=tests/system/044-gone.sh
DIRECTORIES=${DIRECTORIES:-10000}
. tests/system/044-gone.sh
