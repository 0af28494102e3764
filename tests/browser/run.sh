#!/bin/sh
# Chromium: the console page, and pages of other origins. Skips where Node, npm or Chromium is missing.
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
[ "$(node -p 'parseInt(process.versions.node, 10) >= 18')" = true ] || skip "node $(node --version) is older than 18"
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || skip "${CHROMIUM:-/usr/bin/chromium} is not installed"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
	if ! log=$(npm ci --no-audit --no-fund --ignore-scripts 2>&1); then
		echo "not ok 1 - npm ci"
		echo "$log" | sed 's/^/# /'
		echo "1..1"
		exit 1
	fi
fi
failed=0
for script in console origins agree; do
	echo "# $script"
	node "$script.mjs" || failed=1
done
exit "$failed"
