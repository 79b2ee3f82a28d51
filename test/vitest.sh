#!/usr/bin/env bash
# Runs a vitest command with, if VITEST_REPORT names a file, a report there that test/run.sh counts. Where it may mount,
# the tests' temporary files lie in memory: a test that makes a database would wait for the disk some fifty times.
#   test/vitest.sh COMMAND...
set -euo pipefail
if [ -n "${VITEST_REPORT:-}" ]; then
  set -- "$@" --reporter=default --reporter=json "--outputFile.json=$VITEST_REPORT"
fi
unshare --mount true 2>/dev/null || exec "$@"
# A short name: the path of a Unix socket has 107 bytes at most.
folder=$(mktemp -d /tmp/XXXXXX)
trap 'rmdir "$folder"' EXIT
TMPDIR=$folder unshare --mount sh -c 'mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR" && exec "$@"' sh "$@"
