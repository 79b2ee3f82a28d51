#!/usr/bin/env bash
# Compiles the addon without node-gyp, from what binding.gyp says: with a sanitizer, or for another machine.
#   native/compile.sh OUTPUT [COMPILER OR LINKER FLAG...]
# CXX names the compiler; SOURCES, if set, replaces binding.gyp's.
set -euo pipefail
output=$1
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."

node_headers=$(node -p 'require("node:path").join(process.execPath, "../../include/node")')
if [ ! -f "$node_headers/node_api.h" ]; then
  echo "native/compile.sh: no node_api.h in $node_headers; install Node with its headers" >&2
  exit 1
fi
# binding.gyp is a Python literal.
field() {
  python3 -c '
import ast, sys
target = ast.literal_eval(open("binding.gyp").read())["targets"][0]
print(*(sys.argv[2] + value for value in target[sys.argv[1]]))' "$1" "$2"
}
sources=${SOURCES:-$(field sources '')}
defines=$(field defines -D)
read -ra sources <<<"$sources"
read -ra defines <<<"$defines"

mkdir -p "$(dirname "$output")"
"${CXX:-g++}" -std=c++17 -fPIC -fno-exceptions -fno-rtti -fvisibility=hidden -fvisibility-inlines-hidden \
  -Wall -Wextra -Werror "${defines[@]}" -DNODE_GYP_MODULE_NAME=sd_gateway -DBUILDING_NODE_EXTENSION \
  -isystem node_modules/node-addon-api -isystem "$node_headers" \
  -shared -pthread -Wl,--exclude-libs,ALL -Wl,-z,nodelete -Wl,-z,relro,-z,now \
  -o "$output" "${sources[@]}" "$@"
