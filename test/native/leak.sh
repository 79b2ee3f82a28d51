#!/usr/bin/env bash
# Calls each of the addon's functions 10^5 times, or LEAK_LOOP_COUNT times, under LeakSanitizer. Node itself leaves memory
# behind at its end; only blocks that were allocated with a frame of the addon on the stack count.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

flags=(-g -O1 -fno-omit-frame-pointer -fsanitize=address)
native/compile.sh "$folder/build/Release/sd_gateway.node" "${flags[@]}"
SOURCES=test/native/fixtures/leak-control.cc native/compile.sh "$folder/leak_control.node" "${flags[@]}"
# test/run.sh has done it.
[ "${TYPESCRIPT_BUILT:-}" = yes ] || npm run --silent build:typescript

# loop REPORT ARGUMENT...
loop() {
  local report=$1
  shift
  env SD_GATEWAY_PREBUILD="$folder" LD_PRELOAD="$(g++ -print-file-name=libasan.so)" \
    ASAN_OPTIONS="detect_leaks=1:exitcode=0:quarantine_size_mb=16:malloc_context_size=16:fast_unwind_on_malloc=0:log_path=$report" \
    node test/native/leak-loop.mjs "$@"
}
# Prints the blocks of the report that have a frame that matches.
blocks() {
  local files
  files=$(compgen -G "$1.*") || return 0
  # shellcheck disable=SC2086
  awk -v RS= -v ORS='\n\n' -v frame="$2" '$0 ~ frame && /leak of/' $files
}

LEAK_LOOP_COUNT=10 loop "$folder/control" --control "$folder/leak_control.node"
if [ -z "$(blocks "$folder/control" leak-control[.]cc)" ]; then
  echo "leak.sh: a leak made on purpose was not found, so none would be; LeakSanitizer can't work here" >&2
  exit 1
fi
loop "$folder/report"
found=$(blocks "$folder/report" ' native/[a-z-]+[.](cc|h):|sd_gateway[.]node')
if [ -n "$found" ]; then
  printf '%s\n' "$found"
  echo "leak.sh: the addon leaks the above" >&2
  exit 1
fi
echo "No leak with a frame of the addon; the one made on purpose was found."
