# promise: a hundred reloads under load: no forbidden open, no allowed open refused, the worst wait told
# timeout: 1200
export RELOADS=${RELOADS:-100}
. tests/system/132-reload-load.sh
