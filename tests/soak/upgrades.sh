# promise: twenty upgrades under load: no forbidden open, no allowed open refused, the worst wait told
# timeout: 1200
export UPGRADES=${UPGRADES:-20}
. tests/system/133-takeover.sh
