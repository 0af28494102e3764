#!/bin/sh
# The console page in Chromium. Skips where Node, npm or Chromium is missing.
set -u
cd "$(dirname "$0")" || exit 1

skip() {
	echo "1..0 # SKIP $1"
	exit 0
}
command -v node >/dev/null 2>&1 || skip "node is not installed"
command -v npm >/dev/null 2>&1 || skip "npm is not installed"
[ "$(node -p 'parseInt(process.versions.node, 10) >= 18')" = true ] || skip "node $(node --version) is older than 18"
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || skip "${CHROMIUM:-/usr/bin/chromium} is not installed"
if [ ! -d node_modules/playwright-core ]; then
	npm ci --no-audit --no-fund --ignore-scripts >/dev/null 2>&1 || skip "npm ci failed: is the npm registry reachable?"
fi
exec node console.mjs
