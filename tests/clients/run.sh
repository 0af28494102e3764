#!/bin/sh
# Real clients against a real server: npm's eventsource, ws and undici, Node's fetch, curl, python3-websockets. Skips where Node, npm or
# curl is missing.
set -u
case "${RINGCAST_BIN:-}" in
"" | /*) ;;
*) export RINGCAST_BIN="$PWD/$RINGCAST_BIN" ;;
esac
cd "$(dirname "$0")" || exit 1

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}
command -v node >/dev/null 2>&1 || skip "node is not installed"
command -v npm >/dev/null 2>&1 || skip "npm is not installed"
command -v curl >/dev/null 2>&1 || skip "curl is not installed"
[ "$(node -p 'parseInt(process.versions.node, 10) >= 18')" = true ] || skip "node $(node --version) is older than 18"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
	if ! log=$(npm ci --no-audit --no-fund --ignore-scripts 2>&1); then
		echo "not ok 1 - npm ci"
		echo "$log" | sed 's/^/# /'
		echo "1..1"
		exit 1
	fi
fi
failed=0
for script in sse ws poll origin curl resume agree agree_curl agree_python; do
	echo "# $script"
	node "$script.mjs" || failed=1
done
exit "$failed"
