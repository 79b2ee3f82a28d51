#!/usr/bin/env bash
# Builds the addon's binaries for the published package, as node-gyp-build looks for them:
#   prebuilds/linux-x64/sd-gateway.glibc.node     run here
#   prebuilds/linux-x64/sd-gateway.musl.node      loaded here by musl's own loader, but not in a Node for musl
#   prebuilds/linux-arm64/sd-gateway.glibc.node   run here where there is qemu-user, else only built
# They take nothing from a C++ library, and need glibc 2.34 or musl 1.2.3. A machine that none fits builds from source
# at the install. Needs Debian's g++, g++-aarch64-linux-gnu and musl-tools; leaves out what it lacks, except under CI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arguments=(native/prebuild/operator-new.cc -O2 -DNDEBUG -fstack-protector-strong -nodefaultlibs -Wl,-s)
# Of the headers of glibc; musl's have nothing of it.
fortify=(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)

rm -rf prebuilds
missing=()

# have COMMAND PACKAGE
have() {
  command -v "$1" >/dev/null && return 0
  missing+=("$2")
  return 1
}

if [ "$(uname -m)" = x86_64 ]; then
  native/compile.sh prebuilds/linux-x64/sd-gateway.glibc.node "${arguments[@]}" "${fortify[@]}" -lc
else
  missing+=("an x86-64 machine")
fi

if have aarch64-linux-gnu-g++ g++-aarch64-linux-gnu; then
  CXX=aarch64-linux-gnu-g++ native/compile.sh prebuilds/linux-arm64/sd-gateway.glibc.node "${arguments[@]}" "${fortify[@]}" -lc -lgcc
fi

if [ "$(uname -m)" = x86_64 ] && have musl-gcc musl-tools; then
  # Debian has no C++ library for musl, so GCC's headers are used over musl's: of them the addon uses templates only.
  # Nothing is linked: Node for musl has the C library loaded, whose symbols have no versions.
  include=()
  while read -r folder; do
    case "$folder" in */c++/* | */gcc/*) include+=(-isystem "$folder") ;; esac
  done < <(g++ -E -x c++ - -v </dev/null 2>&1 >/dev/null | sed -n '/^#include </,/^End of/s/^ //p')
  # After the C++ ones, as those end with #include_next. The kernel's are the same for every C library.
  kernel=$(mktemp -d)
  trap 'rm -rf "$kernel"' EXIT
  ln -s /usr/include/linux /usr/include/asm-generic "/usr/include/$(gcc -print-multiarch)/asm" "$kernel"
  include+=(-isystem "/usr/include/$(uname -m)-linux-musl" -isystem "$kernel")
  native/compile.sh prebuilds/linux-x64/sd-gateway.musl.node "${arguments[@]}" -nostdinc -nostdinc++ \
    "${include[@]}" -include native/prebuild/musl.h -U_FORTIFY_SOURCE -nostdlib
fi

for binary in prebuilds/*/*.node; do
  glibc=$(objdump -T "$binary" 2>/dev/null | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1) || true
  needed=$(readelf -d "$binary" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | tr '\n' ' ')
  printf '%s: %s, %s bytes; needs %s%s\n' "$binary" "$(readelf -h "$binary" | sed -n 's/ *Machine: *//p')" \
    "$(stat -c %s "$binary")" "${needed:-no library by name }" "${glibc:-}"
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "build-prebuilds.sh: not all were built, for want of: ${missing[*]}" >&2
  [ "${CI:-}" != true ] || exit 1
fi
bash native/verify-prebuilds.sh
