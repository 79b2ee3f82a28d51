#!/usr/bin/env bash
# Builds, unless it has been done, and shows one message on its way (`npm run try`), through a gateway with directories
# of its own and a small program as agent. One line a step.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

directory=$(mktemp -d)
gateway=
trap '[ -z "$gateway" ] || kill -KILL "$gateway" 2>/dev/null || true; rm -rf "$directory"' EXIT

step=0
say() {
  step=$((step + 1))
  printf '%d. %s\n' "$step" "$*"
}

# quietly COMMAND…: shows what the command prints only if it fails.
quietly() {
  "$@" >"$directory/output" 2>&1 && return
  cat "$directory/output" >&2
  printf 'npm run try: "%s" failed; the lines above say why.\n' "$*" >&2
  exit 1
}

if [ -d node_modules ]; then
  say "The packages are installed already."
else
  say "Installing the packages (npm ci): some minutes if SQLite has to be compiled."
  quietly npm ci
fi
if [ -f dist/cli/main.js ] && [ -f build/Release/sd_gateway.node ]; then
  say "The program is built already."
else
  say "Building the program (npm run build): about a minute."
  quietly npm run build
fi

export STATE_DIRECTORY=$directory/state RUNTIME_DIRECTORY=$directory/run CONFIGURATION_DIRECTORY=$directory/etc
export SD_GATEWAY_HTTP_LISTEN=unix:$directory/http.sock
cat >"$directory/agent.mjs" <<'AGENT'
import { readFileSync } from 'node:fs';
import { freemem, hostname } from 'node:os';
const { text, session, seq } = JSON.parse(readFileSync(0, 'utf8'));
console.log(
  `Message ${seq} of session "${session}" has ${text.split(/\s+/).length} words. ` +
    `I am process ${process.pid} on ${hostname()}, which has ${Math.round(freemem() / 2 ** 20)} MiB of free memory.`,
);
AGENT
SD_GATEWAY_AGENT_COMMAND=$(node -p 'JSON.stringify(process.argv.slice(1))' "$(command -v node)" "$directory/agent.mjs")
export SD_GATEWAY_AGENT_COMMAND

node dist/cli/main.js run >"$directory/log" 2>&1 &
gateway=$!
until grep --quiet 'Ready after' "$directory/log"; do
  if ! kill -0 "$gateway" 2>/dev/null; then
    cat "$directory/log" >&2
    echo 'npm run try: the gateway did not start; the lines above say why.' >&2
    exit 1
  fi
  sleep 0.05
done
say "Started a gateway (process $gateway) with a small Node.js program as its agent."

message=${1:-Hello from a fresh clone}
say "Sending \"$message\" to the session \"try\"."
reply=$(node dist/cli/main.js send --session try "$message")
say "The agent replied: $reply"
quietly node dist/cli/main.js stop
wait "$gateway"
gateway=
say "Stopped the gateway: its turns had ended, and its exit status is 0."
echo
echo 'Next: put your own program in the place of the agent; README.md, "A first agent", has the ten lines for it.'
