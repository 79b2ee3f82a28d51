#!/usr/bin/env bash
# Writes the library's API reference from its types:   tools/library/reference/write.sh [FOLDER]
# by default into docs/library/reference, where it is kept. test/library/reference.test.ts compares the two.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
destination=$(realpath --no-symlinks "${1:-../../../docs/library/reference}")
[ -d node_modules ] || npm ci --ignore-scripts --no-audit --no-fund
node_modules/.bin/typedoc --logLevel Warn --out "$destination"
