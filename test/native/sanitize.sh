#!/usr/bin/env bash
# Runs the addon's tests with a build that AddressSanitizer and UndefinedBehaviorSanitizer watch; any report in any of
# the tests' processes is a failure. Leaks are test/native/leak.sh's matter.
#   test/native/sanitize.sh prepare FOLDER                  compiles the addon, and replays what the fuzzers have found
#   test/native/sanitize.sh run FOLDER [VITEST ARGUMENT...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

command=$1 folder=$2
shift 2

prepare() {
  mkdir -p "$folder"
  # Tests run processes of other users too.
  chmod 1777 "$folder"
  native/compile.sh "$folder/build/Release/sd_gateway.node" -g -O1 -fno-omit-frame-pointer \
    -fsanitize=address,undefined -fno-sanitize=vptr
  chmod -R a+rX "$folder/build"
  test/native/fuzz.sh --replay
}

runtime="$(g++ -print-file-name=libasan.so):$(g++ -print-file-name=libubsan.so)"
watched() {
  env SD_GATEWAY_PREBUILD="$folder" LD_PRELOAD="$runtime" \
    ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=1:log_path=$folder/report" \
    UBSAN_OPTIONS="print_stacktrace=1:log_path=$folder/report" "$@"
}

run() {
  # test/run.sh has done it.
  [ "${TYPESCRIPT_BUILT:-}" = yes ] || npm run --silent build:typescript

  # Proves that the watched build is what the tests load.
  loaded=$(watched node --input-type=module --eval '
    import { readFileSync } from "node:fs";
    import { native } from "./dist/linux/native.js";
    native();
    console.log(/\S+sd_gateway\.node/.exec(readFileSync("/proc/self/maps", "utf8"))[0]);')
  if [ "$loaded" != "$folder/build/Release/sd_gateway.node" ]; then
    echo "sanitize.sh: the tests would load $loaded" >&2
    exit 1
  fi

  local status=0
  set -- test/native test/linux test/systemd "$@"
  watched bash test/vitest.sh node node_modules/vitest/vitest.mjs run --project unit "$@" || status=$?
  if compgen -G "$folder/report*" >/dev/null; then
    cat "$folder"/report*
    echo "sanitize.sh: the sanitizers reported the above" >&2
    exit 1
  fi
  exit "$status"
}

case $command in
  prepare | run) "$command" "$@" ;;
  *) echo "sanitize.sh: unknown command '$command'; known: prepare, run" >&2; exit 64 ;;
esac
