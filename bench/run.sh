#!/usr/bin/env bash
# Measures the gateway beside its peers and the limits: installs the peers, compiles the limits, runs bench/main.ts.
#   npm run bench -- [--smoke] [--rounds=N] [NAME…]
# As root on Linux, with a C compiler and Debian's libsystemd-dev; peers whose servers aren't here are named as not measured.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ "$(id -u)" -ne 0 ]; then
  echo "bench/run.sh: needs root, for namespaces with sockets of their own" >&2
  exit 1
fi
if [ ! -f dist/cli/main.js ]; then
  echo "bench/run.sh: nothing is built; run npm run build first" >&2
  exit 1
fi
if [ ! -d bench/node_modules ] || [ bench/package-lock.json -nt bench/node_modules/.package-lock.json ]; then
  npm ci --prefix bench --no-audit --no-fund
fi

mkdir -p bench/build
for source in bench/native/*.c; do
  cc -O2 -Wall -Wextra -Werror -o "bench/build/$(basename "$source" .c)" "$source" -lsystemd
done

for variable in $(compgen -e | grep -E '^(SD_GATEWAY_|STATE_DIRECTORY|RUNTIME_DIRECTORY|NOTIFY_SOCKET)' || true); do
  unset "$variable"
done
exec bench/node_modules/.bin/tsx bench/main.ts "$@"
