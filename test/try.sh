#!/usr/bin/env bash
# What `npm run try` does: installs and builds where that hasn't been done, starts a gateway in directories of its own,
# sends it one message, prints the reply, and stops it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ -d node_modules ] || npm ci
[ -f dist/cli/main.js ] && [ -f build/Release/sd_gateway.node ] || npm run build

directory=$(mktemp -d)
export STATE_DIRECTORY=$directory/state RUNTIME_DIRECTORY=$directory/run CONFIGURATION_DIRECTORY=$directory/etc
export SD_GATEWAY_HTTP_LISTEN=unix:$directory/http.sock

coproc gateway { exec node dist/cli/main.js run 2>&1; }
process=$gateway_PID
trap 'kill -KILL "$process" 2>/dev/null || true; rm -rf "$directory"' EXIT
while IFS= read -r line <&"${gateway[0]}"; do
  printf '%s\n' "$line"
  case "$line" in *"Ready after"*) break ;; esac
done

message=${1:-Hello from a fresh clone}
printf '\n$ sd-gateway send "%s"\n' "$message"
node dist/cli/main.js send "$message"
printf '\n$ sd-gateway stop\n'
node dist/cli/main.js stop
wait "$process"
echo "The gateway ended with status 0."
