#!/usr/bin/env bash
# Runs tests in other versions of Node.js than the one here.
#   test/other-nodes.sh prepare FOLDER VERSION...    copies of the checkout
#   test/other-nodes.sh run FOLDER VERSION [VITEST ARGUMENT...]    PROJECT=systemd for those on real systemd
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command=$1 folder=$2
shift 2
export OTHER_NODES=${OTHER_NODES:-$folder/nodes}

prepare() {
  local version
  # Without what tests and benchmarks beside this write. They also make the folders for it: then tar says
  # that a folder has changed, and ends with 1.
  for version in "$@"; do
    mkdir -p "$folder/$version"
    {
      tar --create --exclude=./node_modules/.cache --exclude=./node_modules/.vite --exclude=./node_modules/.vite-temp \
        --exclude=./bench/build --exclude=./bench/node_modules . || [ $? -eq 1 ]
    } | tar --extract --directory "$folder/$version"
  done
}

run() {
  local version=$1 node
  shift
  node=$(bash test/node-of.sh "$version")
  cd "$folder/$version"
  export PATH="$node/bin:$PATH"
  echo "Node.js $(node --version)"
  bash test/vitest.sh node node_modules/vitest/vitest.mjs run --project "${PROJECT:-unit*}" "$@"
}

case $command in
  prepare | run) "$command" "$@" ;;
  *) echo "other-nodes.sh: unknown command '$command'; known: prepare, run" >&2; exit 64 ;;
esac
