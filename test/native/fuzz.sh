#!/usr/bin/env bash
# Fuzzes what the addon reads from outside and sends, with libFuzzer, AddressSanitizer and UBSan. It begins with the
# inputs in test/native/fuzz/corpus; what fails is left in the present folder as crash-…, to be added there.
#   npm run fuzz               each target for FUZZ_SECONDS (60)
#   npm run fuzz -- TARGET…    some
#   npm run fuzz -- --replay   the corpus alone, with any compiler: part of npm test
# CXX: a clang with its runtimes (Debian: clang-14, libclang-rt-14-dev).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

replay=false
if [ "${1:-}" = --replay ]; then
  replay=true
  shift
fi
[ $# -gt 0 ] || set -- socket-address signal-record datagram

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
options=(-std=c++17 -g -O1 -Wall -Wextra -Werror -fno-omit-frame-pointer -fno-sanitize-recover=all -pthread)

for target in "$@"; do
  sources=("test/native/fuzz/$target.cc")
  case "$target" in
    socket-address) sources+=(native/socket-address.cc) ;;
    datagram) sources+=(native/socket-address.cc native/datagram-sender.cc) ;;
    signal-record) ;;
    *)
      echo "fuzz.sh: no target '$target'; there are socket-address, signal-record, datagram" >&2
      exit 64
      ;;
  esac
  corpus=(test/native/fuzz/corpus/"$target"/*)
  if $replay; then
    "${CXX:-g++}" "${options[@]}" -fsanitize=address,undefined -o "$folder/$target" "${sources[@]}" \
      test/native/fuzz/replay.cc
    "$folder/$target" "${corpus[@]}"
    echo "$target: ${#corpus[@]} inputs"
  else
    "${CXX:-clang++-14}" "${options[@]}" -fsanitize=fuzzer,address,undefined -o "$folder/$target" "${sources[@]}"
    mkdir "$folder/corpus-$target"
    echo "== $target"
    # New inputs go into the first folder, and are thrown away with it.
    if ! "$folder/$target" -max_total_time="${FUZZ_SECONDS:-60}" -print_final_stats=1 -artifact_prefix=./ \
      "$folder/corpus-$target" "test/native/fuzz/corpus/$target" >"$folder/log" 2>&1; then
      cat "$folder/log"
      exit 1
    fi
    grep -E 'DONE|^stat::(number|average)' "$folder/log"
  fi
done
