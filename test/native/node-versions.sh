#!/usr/bin/env bash
# Loads one and the same binary of the addon in each Node that is supported, and calls each of its functions once.
#   test/native/node-versions.sh [BINARY]
# BINARY is the one that node-gyp built, if none is given.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

versions=(20.20.2 22.23.3 24.21.0 26.10.0)
binary=$(realpath "${1:-build/Release/sd_gateway.node}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OTHER_NODES=${OTHER_NODES:-$folder/nodes}
mkdir -p "$folder/addon/build/Release"
cp "$binary" "$folder/addon/build/Release/sd_gateway.node"
# test/run.sh has done it.
[ "${TYPESCRIPT_BUILT:-}" = yes ] || npm run --silent build:typescript

sum=$(sha256sum "$binary" | cut -c1-16)
status=0
for version in "${versions[@]}"; do
  node=$(bash test/node-of.sh "$version")
  line=$(SD_GATEWAY_PREBUILD="$folder/addon" "$node/bin/node" test/native/fixtures/load-everywhere.mjs) || status=1
  printf 'binary %s: %s\n' "$sum" "${line:-FAILED in Node $version}"
  case "$line" in "Node $version "*) ;; *) status=1 ;; esac
done
exit "$status"
