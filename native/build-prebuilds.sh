#!/usr/bin/env bash
# Builds the addon's binaries for the published package, prebuilds/PLATFORM-ARCHITECTURE/, from where node-gyp-build
# loads them:
#   x64, arm64   glibc; the one that isn't this machine's by a cross compiler (Debian: g++-aarch64-linux-gnu)
#   x64          musl (Debian: musl-tools); for arm64 Debian has no musl compiler, so Alpine builds from source there
# A binary whose compiler is missing is left out with a word; under CI that is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
missing=0

left_out() {
  echo "Not built: $1"
  missing=1
}

host=$(node -p 'process.arch')
# Node's own headers, or those that node-gyp has fetched.
headers=$(node -p 'require("node:path").resolve(process.execPath, "../../include/node")')
[ -f "$headers/node_api.h" ] || headers=${XDG_CACHE_HOME:-$HOME/.cache}/node-gyp/$(node -p process.versions.node)/include/node
addon_api=$(node -p 'require("node:path").dirname(require.resolve("node-addon-api"))')

# check FILE: it needs nothing but the C library and Node, and exports nothing but what Node asks for.
check() {
  local needed
  needed=$(readelf --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -vE '^(libc\.so(\.6)?|ld-linux.*)$' || true)
  if [ -n "$needed" ]; then
    echo "$1 needs more than the C library: $needed" >&2
    exit 1
  fi
}

# with_glibc ARCHITECTURE [PREFIX]: by node-gyp, as an installation builds it, in a folder of its own.
with_glibc() {
  local architecture=$1 prefix=${2:-}
  local folder="$work/glibc-$architecture"
  mkdir "$folder"
  cp -r native binding.gyp package.json "$folder"
  ln -s "$root/node_modules" "$folder/node_modules"
  CC=${prefix}gcc CXX=${prefix}g++ npx --no-install node-gyp rebuild --silent --directory="$folder" --arch="$architecture" >&2
  "${prefix}strip" --strip-unneeded "$folder/build/Release/sd_gateway.node"
  check "$folder/build/Release/sd_gateway.node"
  install -D -m 0644 "$folder/build/Release/sd_gateway.node" \
    "prebuilds/linux-$architecture/sd-gateway.napi.glibc.node"
}

# musl comes with a C compiler only: g++ is told its specs, borrows glibc's libstdc++ for its headers, and links none.
with_musl() {
  local folder="$work/musl" libstdcxx multiarch source
  local specs
  specs=$(dirname "$(musl-gcc -print-file-name=libc.so)")/musl-gcc.specs
  [ -f "$specs" ] || specs=/usr/lib/$(uname -m)-linux-musl/musl-gcc.specs
  multiarch=$(g++ -print-multiarch)
  libstdcxx=/usr/include/c++/$(g++ -dumpversion)
  mkdir "$folder"
  for source in native/*.cc native/musl/*.cc; do
    g++ -specs "$specs" '-D__GLIBC_PREREQ(major,minor)=0' -include native/musl/declarations.h \
      -fPIC -O3 -std=c++17 -Wall -Wextra -Werror -fno-exceptions -fno-rtti -fno-threadsafe-statics \
      -fno-asynchronous-unwind-tables -fvisibility=hidden -ffunction-sections \
      -D_GNU_SOURCE -DNAPI_VERSION=9 -DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS -DNODE_GYP_MODULE_NAME=sd_gateway \
      -isystem "$addon_api" -isystem "$headers" \
      -isystem "$libstdcxx" -isystem "/usr/include/$multiarch/c++/$(g++ -dumpversion)" \
      -c "$source" -o "$folder/$(basename "$source").o"
  done
  musl-gcc -shared -s -Wl,--gc-sections -Wl,-z,nodelete -Wl,-z,relro,-z,now "$folder"/*.o -o "$folder/sd_gateway.node"
  check "$folder/sd_gateway.node"
  loads_with_musl "$folder"
  install -D -m 0644 "$folder/sd_gateway.node" "prebuilds/linux-$host/sd-gateway.napi.musl.node"
}

# musl binds every symbol at once: a program with empty functions in Node's place shows that nothing else is missing.
loads_with_musl() {
  local folder=$1
  {
    nm --dynamic --undefined-only "$folder/sd_gateway.node" |
      sed -n 's/^ *U \(napi_[a-z0-9_]*\)$/void \1(void) {}/p'
    cat <<'C'
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **arguments) {
  void *addon = count == 2 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  if (addon == NULL || dlsym(addon, "napi_register_module_v1") == NULL) {
    fprintf(stderr, "musl can't load the addon: %s\n", dlerror());
    return 1;
  }
  return 0;
}
C
  } >"$folder/host.c"
  musl-gcc -rdynamic "$folder/host.c" -o "$folder/host"
  "$folder/host" "$folder/sd_gateway.node"
}

rm -rf prebuilds
with_glibc "$host"
LIBC=glibc node -e '
  const path = require("node-gyp-build").resolve(process.argv[1]);
  if (!path.includes("prebuilds")) throw new Error(`${path} was found in place of the prebuilt binary`);
  const { getppid } = require(path);
  if (getppid() !== process.ppid) throw new Error("the prebuilt binary does not work");
' "$(mkdir "$work/try" && ln -s "$root/prebuilds" "$work/try/prebuilds" && echo "$work/try")"

if [ "$host" = x64 ]; then
  if command -v aarch64-linux-gnu-g++ >/dev/null; then with_glibc arm64 aarch64-linux-gnu-; else
    left_out "linux-arm64 for glibc; it needs Debian's g++-aarch64-linux-gnu"
  fi
fi
if command -v musl-gcc >/dev/null; then with_musl; else
  left_out "linux-$host for musl; it needs Debian's musl-tools"
fi

find prebuilds -name '*.node' -exec ls -l {} +
if [ "$missing" -ne 0 ] && [ "${CI:-}" = true ]; then exit 1; fi
