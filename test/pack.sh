#!/usr/bin/env bash
# Packs the package as it is published, with its prebuilt binaries, and runs what is in it without anything beside it.
#   test/pack.sh pack FOLDER     makes the package, and unpacks it there
#   test/pack.sh start FOLDER    starts the gateway that is in it; this needs SQLite
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command=$1 folder=$2

pack() {
  mkdir -p "$folder"
  npm pack --foreground-scripts --pack-destination "$folder"
  tar --extract --gzip --file "$folder"/sd-gateway-*.tgz --directory "$folder"
  version=$(node -p 'require("./package.json").version')
  printed=$(node "$folder/package/dist/cli/main.js" --version)
  case "$printed" in
    *"$version"*) echo "The packed program runs: $printed" ;;
    *) echo "pack.sh: the packed program says '$printed', and should say that it is $version" >&2; exit 1 ;;
  esac
  grep --quiet '"bomFormat": "CycloneDX"' "$folder/package/dist/sbom.cdx.json"
  # Which ones there have to be is native/build-prebuilds.sh's matter.
  diff --recursive --brief prebuilds "$folder/package/prebuilds"
}

start() {
  # Loads what the version has no need of.
  ln -s "$PWD/node_modules" "$folder/package/node_modules"
  STATE_DIRECTORY=$folder/state RUNTIME_DIRECTORY=$folder/run SD_GATEWAY_HTTP_LISTEN=unix:$folder/http.sock \
    node "$folder/package/dist/cli/main.js" run 2>"$folder/log" &
  gateway=$!
  for ((waited = 0; waited < 200; waited++)); do
    if grep --quiet 'Ready after' "$folder/log" || ! kill -0 "$gateway" 2>/dev/null; then break; fi
    sleep 0.05
  done
  kill "$gateway" 2>/dev/null || true
  wait "$gateway" || true
  if ! grep --quiet 'Ready after' "$folder/log"; then
    cat "$folder/log"
    echo "pack.sh: the packed gateway did not start" >&2
    exit 1
  fi
}

case $command in
  pack) pack ;;
  start) start ;;
  *) echo "pack.sh: unknown command '$command'; known: pack, start" >&2; exit 64 ;;
esac
