# promise: twenty upgrades under load, and fifty in the middle of a reload: no forbidden open, no allowed open refused, the worst wait told
# timeout: 1200
export UPGRADES=${UPGRADES:-20} LEAVES=${LEAVES:-50}
. tests/system/133-takeover.sh
