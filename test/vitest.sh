#!/usr/bin/env bash
# Runs a vitest command with, if VITEST_REPORT names a file, a report there that test/run.sh counts.
#   test/vitest.sh COMMAND...
set -euo pipefail
if [ -n "${VITEST_REPORT:-}" ]; then
  set -- "$@" --reporter=default --reporter=json "--outputFile.json=$VITEST_REPORT"
fi
exec "$@"
