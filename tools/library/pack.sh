#!/usr/bin/env bash
# Packs the systemd library of this tree as the package @sd-gateway/systemd:
#   tools/library/pack.sh [FOLDER]     writes FOLDER/sd-gateway-systemd-VERSION.tgz, by default here
# Builds the prebuilt binaries with native/build-prebuilds.sh if there are none, or if a source is newer. PREBUILDS names
# a folder that has others.
set -euo pipefail
destination=$(realpath "${1:-.}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# One of its own for each run: two at once must not mix.
package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT
export PACKAGE=$package

if [ -z "${PREBUILDS:-}" ]; then
  binaries=(prebuilds/*/*.node)
  if [ ! -f "${binaries[0]}" ] || [ -n "$(find native binding.gyp -newer "${binaries[0]}" -type f -print -quit)" ]; then
    bash native/build-prebuilds.sh
  fi
fi

npx rolldown --config tools/library/rolldown.config.ts --logLevel warn
npx tsc --project tools/library/tsconfig.json --outDir "$package/dist/types"
cp tools/library/package/README.md tools/library/package/install.cjs LICENSE "$package"
cp -r "${PREBUILDS:-prebuilds}" "$package/prebuilds"
mkdir "$package/native"
cp native/*.cc native/*.h "$package/native"
# Not at the top: npm would compile there by itself, on every system.
mkdir "$package/native/node-addon-api"
cp node_modules/node-addon-api/{napi.h,napi-inl.h,napi-inl.deprecated.h,LICENSE.md} "$package/native/node-addon-api"
# The headers are packed as well, so that a build from source needs no further package.
sed -e "s|'native/|'|" -e "s|'-isystem<!(node -p .*node-addon-api.*|'-isystem<(module_root_dir)/node-addon-api',|" binding.gyp \
  >"$package/native/binding.gyp"
node -e '
  const { writeFileSync } = require("node:fs");
  const { name, ...rest } = require("./tools/library/package/package.json");
  const { version, license, engines, dependencies } = require("./package.json");
  const needed = { "node-gyp-build": dependencies["node-gyp-build"] };
  const packed = { name, version, ...rest, license, engines, dependencies: needed };
  writeFileSync(process.argv[1], `${JSON.stringify(packed, null, 2)}\n`);
' "$package/package.json"
npm pack --silent --pack-destination "$destination" "$package"
