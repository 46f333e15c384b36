#!/usr/bin/env bash
# Load on loopback against the release binary: figures are printed, only counts decide. Takes about a minute.
# Needs sipp (Debian package sip-tester) and python3; called by `./test --load`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=${JIESU_BIN:-$here/../../target/release/jiesu}
[ -x "$binary" ] || { echo "there is no $binary: cargo build --release -p gateway" >&2; exit 1; }
command -v sipp >/dev/null || { echo "sipp is missing: apt-get install sip-tester" >&2; exit 1; }

rate=${LOAD_CALLS_PER_SECOND:-200} seconds=${LOAD_SECONDS:-10}
sip=25060 http=25080 metrics=25464 token=load-token-4c1f9b27
folder=$(mktemp -d)
gateway=
finish() { status=$?; [ "$status" = 0 ] || tail -5 "$folder/log" >&2; [ -z "$gateway" ] || kill -KILL "$gateway" 2>/dev/null || true; rm -rf "$folder"; }
trap finish EXIT

cat > "$folder/jiesu.toml" <<CONFIG
[node]
data_dir = "$folder/data"
[http]
listen = "127.0.0.1:$http"
[metrics]
listen = "127.0.0.1:$metrics"
[sip]
listen = ["udp:127.0.0.1:$sip"]
[media]
rtp_ports = [26000, 29999]
[speech]
engine = "off"
[[trunks]]
name = "load"
from = ["127.0.0.0/8"]
[[sinks]]
name = "records"
kind = "file"
path = "records.jsonl"
[[api.tokens]]
name = "load"
role = "admin"
token = "$token"
[channels.wechat_mp.load]
token = "load-signature"
mode = "plain"
CONFIG

JIESU_LOG=warn "$binary" serve --config "$folder/jiesu.toml" 2> "$folder/log" &
gateway=$!
ask() { python3 - "$@" <<'PYTHON'
"""ready URL | records URL TOKEN WANTED: waits for it, at most a minute."""
import json, sys, time, urllib.request
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        if sys.argv[1] == "ready":
            urllib.request.urlopen(sys.argv[2], timeout=5)
            sys.exit(0)
        request = urllib.request.Request(sys.argv[2], headers={"Authorization": "Bearer " + sys.argv[3]})
        if all(sink["lag"] == 0 for sink in json.load(urllib.request.urlopen(request, timeout=5))):
            sys.exit(0)
    except OSError:
        pass
    time.sleep(0.1)
sys.exit("waited a minute in vain for " + sys.argv[1])
PYTHON
}
resident() { awk '/^VmRSS/ { printf "%.1f MiB", $2 / 1024 }' "/proc/$gateway/status"; }
lines() { wc -l < "$folder/data/records.jsonl" 2>/dev/null || echo 0; }

ask ready "http://127.0.0.1:$http/readyz"
echo "idle: RSS $(resident)"

calls=$((rate * seconds))
(cd "$folder" && sipp "127.0.0.1:$sip" -sf "$here/scenarios/answer_and_hang_up.xml" -i 127.0.0.1 -p 25070 -cp 25071 \
    -r "$rate" -m "$calls" -l 2000 -timeout 60 -timeout_error -nostdin -trace_err -error_file errors.log \
    -trace_stat -stf stat.csv -fd 60 > sipp.log 2>&1) || { tail -30 "$folder/sipp.log"; head -5 "$folder/errors.log"; exit 1; }
ask lag "http://127.0.0.1:$http/api/v1/sinks" "$token"
written=$(lines)
echo "calls: $calls at $rate/s, none failed, $written records; RSS $(resident)"
[ "$written" -eq "$calls" ] || { echo "expected one record a call" >&2; exit 1; }

python3 - "http://127.0.0.1:$metrics/metrics" <<'PYTHON'
"""The 99th percentile of hang-up to durable draft, as the bucket that holds it."""
import re, sys, urllib.request
text = urllib.request.urlopen(sys.argv[1]).read().decode()
found = re.findall(r'jiesu_hangup_to_draft_seconds_bucket\{[^}]*le="([^"]+)"[^}]*\} (\d+)', text)
assert found, "the histogram is missing"
total = int(found[-1][1])
bound = next(le for le, count in found if int(count) >= 0.99 * total)
print(f"hang-up to durable draft: p99 <= {bound} s over {total} calls")
PYTHON

accepted=$(python3 "$here/messages.py" 127.0.0.1 "$http" /in/wechat_mp/load load-signature 2>&1 | tee /dev/stderr | tail -1)
ask lag "http://127.0.0.1:$http/api/v1/sinks" "$token"
[ "$(lines)" -eq $((calls + accepted)) ] || { echo "expected one record a message" >&2; exit 1; }
kill -TERM "$gateway"
wait "$gateway"
gateway=
