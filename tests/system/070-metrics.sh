# promise: /metrics is good Prometheus text with every series from the start, and a real Prometheus scrapes it
. tests/system/lib.sh
setup
need promtool prometheus
echo x >"$T/guarded/file"
guard <<END
[watch w]
path = $T/guarded
default = deny
[rule w/cat]
action = allow
op = read
exe = $(readlink -f "$(command -v cat)")
END
http /metrics >"$T/metrics"
promtool check metrics <"$T/metrics" >"$T/said" 2>&1 || fail "promtool: $(cat "$T/said")"
[ ! -s "$T/said" ] || fail "promtool is not silent: $(cat "$T/said")"
http /metrics -I | grep -qi '^content-type: text/plain; version=0.0.4' || fail "content type: $(http /metrics -I)"
# Before anything happened each series is there, with 0.
assert_equal "$(metric 'fileward_decisions_total{watch="w",rule="w/cat",op="read",decision="allow",verdict="allow"}')" 0
for op in read write exec list; do
    assert_equal "$(metric 'fileward_decisions_total{watch="w",rule="w/default",op="'$op'",decision="deny",verdict="deny"}')" 0
done
for series in 'fileward_timeouts_total{watch="w"}' fileward_rescues_total fileward_rescans_total 'fileward_restarts_total{role="judge"}' \
    'fileward_restarts_total{role="scout"}' 'fileward_restarts_total{role="herald"}' fileward_pending \
    'fileward_records_dropped_total{role="judge"}' 'fileward_records_dropped_total{role="keeper"}' \
    'fileward_records_dropped_total{role="scout"}' 'fileward_unguarded{watch="w"}' 'fileward_mode{watch="w",mode="audit"}' \
    fileward_decision_duration_seconds_count 'fileward_decision_duration_seconds_bucket{le="+Inf"}'; do
    assert_equal "$(metric "$series")" 0 "$series"
done
for series in 'fileward_marks{watch="w"} 2' 'fileward_mode{watch="w",mode="enforce"} 1' \
    'fileward_policy_last_reload_successful 1'; do
    grep -qxF "$series" "$T/metrics" || fail "not there: $series"
done
for name in fileward_policy_info fileward_build_info fileward_policy_last_reload_timestamp_seconds \
    fileward_cache_hits_total fileward_cache_misses_total process_cpu_seconds_total process_resident_memory_bytes; do
    grep -q "^$name" "$T/metrics" || fail "not there: $name"
done
! grep -E "$T|/usr/|uid|pid=" "$T/metrics" || fail "a path, program or user in the metrics"

expect_ok cat "$T/guarded/file"
expect_eperm head "$T/guarded/file"
expect_eperm head "$T/guarded/file"
assert_equal "$(decided w w/default read deny deny)" 2
assert_equal "$(metric fileward_decision_duration_seconds_count)" 3
http /metrics >"$T/after"
diff <(sed -n 's/ [^ ]*$//p' "$T/metrics" | sort) <(sed -n 's/ [^ ]*$//p' "$T/after" | sort) >"$T/said" ||
    fail "series appeared or went: $(cat "$T/said")"

# The real one, with its own configuration and data here.
port=$(free_port)
cat >"$T/prometheus.yml" <<END
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [{ job_name: fileward, static_configs: [{ targets: ["$LISTEN"] }] }]
END
mkdir "$T/data"
prometheus --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/data" --web.listen-address="127.0.0.1:$port" \
    --log.level=error >"$T/prometheus.log" 2>&1 &
server=$!
query() { # QUERY: the value of its single result
    curl -sS -G --max-time 2 "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" 2>/dev/null |
        jq -r '.data.result[0].value[1]'
}
is() { # QUERY VALUE
    [ "$(query "$1")" = "$2" ]
}
until_true 40 is 'fileward_decisions_total{rule="w/default",op="read",decision="deny",verdict="deny"}' 2 ||
    fail "Prometheus has not the counter: $(query 'up') $(cat "$T/prometheus.log")"
assert is 'up{job="fileward"}' 1
assert is 'histogram_quantile(1, fileward_decision_duration_seconds_bucket) > bool 0' 1
expect_eperm head "$T/guarded/file"
until_true 10 is 'sum(fileward_decisions_total{verdict="deny"})' 3 || fail "Prometheus does not see the third refusal"
kill "$server"
wait "$server" 2>/dev/null
