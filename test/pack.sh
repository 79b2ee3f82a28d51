#!/usr/bin/env bash
# Packs the package as it is published, with its prebuilt binaries, and runs what is in it without anything beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

npm pack --foreground-scripts --pack-destination "$folder"
tar --extract --gzip --file "$folder"/sd-gateway-*.tgz --directory "$folder"
version=$(node -p 'require("./package.json").version')
printed=$(node "$folder/package/dist/cli/main.js" --version)
case "$printed" in
  *"$version"*) echo "The packed program runs: $printed" ;;
  *) echo "pack.sh: the packed program says '$printed', and should say that it is $version" >&2; exit 1 ;;
esac
ls "$folder"/package/prebuilds/*/*.node >/dev/null
