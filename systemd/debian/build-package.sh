#!/usr/bin/env bash
# Builds the Debian package from this tree, which is built already ("npm ci && npm run build"):
#   systemd/debian/build-package.sh FOLDER [VERSION]
# puts sd-gateway_VERSION_ARCHITECTURE.deb there and prints its path. The native modules are those in node_modules and
# build, so it is for this architecture and a glibc no older than this one. Built with Node.js 20 it is for that and for
# 22.14 and later, otherwise for the latter alone. With SOURCE_DATE_EPOCH, or in a git checkout, the same tree gives the
# same bytes.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: build-package.sh FOLDER [VERSION]" >&2; exit 64; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
version=${2:-$(node -p 'require("./package.json").version')}
architecture=$(dpkg --print-architecture)
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH
umask 022

case $architecture in amd64) prebuilt=linux-x64.node ;; *) prebuilt=linux-$architecture.node ;; esac
sqlite=(node_modules/better-sqlite3/prebuilds/$prebuilt)
oldest_node=22.14
if [ "$(node -p 'Number(process.versions.napi) < 10')" = true ]; then
  sqlite+=(node_modules/better-sqlite3-12/build/Release/better_sqlite3.node)
  oldest_node=20.19
fi
for needed in dist/cli/main.js dist/third-party.json build/Release/sd_gateway.node "${sqlite[@]}"; do
  [ -e "$needed" ] || { echo "build-package.sh: $needed is missing; run: npm ci && npm run build" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
application=$root/usr/lib/sd-gateway
mkdir -p "$application/build/Release" "$application/node_modules" "$root/DEBIAN"

# The program, as the npm package has it.
mkdir -p "$application/dist/cli"
cp -R dist/bundle "$application/dist/"
# Of the Node.js here, and not the same bytes each time.
rm -f "$application"/dist/bundle/*.compiled
cp dist/cli/main.js dist/cli/package.json "$application/dist/cli/"
cp dist/THIRD-PARTY-NOTICES.md "$application/dist/"
cp package.json "$application/"
install -m 644 -s build/Release/sd_gateway.node "$application/build/Release/"
cp -R systemd "$application/"
rm -rf "$application/systemd/debian"

# The libraries that are not bundled with it, by the lock; not what only fetches or builds native modules, nor the e-mail
# channel's, which are installed by those who use it.
node -e '
  const { packages } = require("./package-lock.json");
  const found = new Set();
  const add = (name, from) => {
    if (["node-addon-api", "prebuild-install"].includes(name)) return;
    for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf("node_modules/") - 1))) {
      const path = (base === "" ? "" : base + "/") + "node_modules/" + name;
      if (packages[path] !== undefined) {
        if (!found.has(path)) {
          found.add(path);
          for (const dependency of Object.keys(packages[path].dependencies ?? {})) add(dependency, path);
        }
        return;
      }
      if (base === "") throw new Error(name + " is not in the lock");
    }
  };
  const { dependencies } = require("./package.json");
  for (const name of Object.keys(dependencies)) add(name, "");
  if (Number(process.versions.napi) < 10) add("better-sqlite3-12", "");
  for (const path of found) if (path.lastIndexOf("node_modules/") === 0) console.log(path.slice(13));
' | while read -r name; do
  mkdir -p "$application/node_modules/$(dirname "$name")"
  case $name in
    # The remains of its compilation are several times as large as all the rest.
    better-sqlite3*)
      tar -C node_modules -c --exclude="$name/build" --exclude="$name/prebuilds" "$name" | tar -C "$application/node_modules" -xm
      ;;
    *) cp -R "node_modules/$name" "$application/node_modules/$name" ;;
  esac
done
for binary in "${sqlite[@]}"; do install -D -m 644 -s "$binary" "$application/$binary"; done
# Only what can't be loaded goes, whatever folder it is in: sources of what is compiled already (Node strips no types
# below node_modules), maps, settings of tools, shell scripts, and pages that would load from the network. A licence
# is kept wherever it is.
(
  cd "$application/node_modules"
  find . -type l -path '*/.bin/*' -delete
  find . -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.sh' -o -name '*.html' \
    -o -path './better-sqlite3*/deps/*' -o -path './better-sqlite3*/src/*' -o -path './better-sqlite3*/binding.gyp' \
    -o -path '*/.[!.]*' \) -not -iname 'licen[cs]e*' -not -iname 'copying*' -not -iname 'notice*' -delete
)
find "$application" -type d -empty -delete
find "$application" -type f -exec chmod 644 {} +
chmod 755 "$application/dist/cli/main.js"

# Their own programs are not run from here; as modules their first line has no meaning.
{ grep -rlZ '^#!' --include='*.js' --include='*.cjs' --include='*.mjs' "$application/node_modules" || true; } | xargs -0r sed -i '1{/^#!/d}'

# Debian's node is /usr/bin/node; the command must not depend on the caller's PATH.
sed -i '1s|.*|#!/usr/bin/node|' "$application/dist/cli/main.js"
mkdir -p "$root/usr/bin"
ln -s ../lib/sd-gateway/dist/cli/main.js "$root/usr/bin/sd-gateway"

# Units, with the program's full path, and the user that they run as.
for scope in system user; do
  mkdir -p "$root/usr/lib/systemd/$scope"
  from=systemd
  [ $scope = system ] || from=systemd/user
  for unit in "$from"/*.service "$from"/*.socket; do
    sed 's|^ExecStart=sd-gateway |ExecStart=/usr/bin/sd-gateway |' "$unit" >"$root/usr/lib/systemd/$scope/${unit##*/}"
  done
done
install -D -m 644 systemd/sysusers.d/sd-gateway.conf "$root/usr/lib/sysusers.d/sd-gateway.conf"
if [ -e systemd/sd-gateway.catalog ]; then
  install -D -m 644 systemd/sd-gateway.catalog "$root/usr/lib/systemd/catalog/sd-gateway.catalog"
fi

# Manual pages, completions, documents.
mkdir -p "$root/usr/share/man/man1" "$root/usr/share/man/man5"
gzip -9n <dist/man/sd-gateway.1 >"$root/usr/share/man/man1/sd-gateway.1.gz"
gzip -9n <dist/man/sd-gateway.toml.5 >"$root/usr/share/man/man5/sd-gateway.toml.5.gz"
mkdir -p "$root"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
node dist/cli/main.js completion bash >"$root/usr/share/bash-completion/completions/sd-gateway"
node dist/cli/main.js completion zsh >"$root/usr/share/zsh/vendor-completions/_sd-gateway"
node dist/cli/main.js completion fish >"$root/usr/share/fish/vendor_completions.d/sd-gateway.fish"
documents=$root/usr/share/doc/sd-gateway
mkdir -p "$documents"
node systemd/debian/write-copyright.js "$application" >"$documents/copyright"
printf 'sd-gateway (%s) unstable; urgency=medium\n\n  * What has changed is in changelog.gz.\n\n -- The sd-gateway developers <maintainers@sd-gateway.example>  %s\n' \
  "$version" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$documents/changelog.Debian.gz"
gzip -9n <CHANGELOG.md >"$documents/changelog.gz"

# Libraries that the compiled modules need, with versions, as dpkg knows them.
mkdir -p "$work/debian"
printf 'Source: sd-gateway\n\nPackage: sd-gateway\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O $(find root -name '*.node' -printf '-e%p ') 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$libraries" ] || { echo "build-package.sh: dpkg-shlibdeps found no library" >&2; exit 1; }

size=$(du -k --apparent-size -s "$root/usr" | cut -f 1)
sed "s|@VERSION@|$version|; s|@ARCHITECTURE@|$architecture|; s|@SIZE@|$size|; s|@NODE@|$oldest_node|; s|@LIBRARIES@|$libraries|" \
  systemd/debian/control >"$root/DEBIAN/control"
install -m 755 systemd/debian/{postinst,prerm,postrm} "$root/DEBIAN/"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
if [ -e systemd/debian/lintian-overrides ]; then
  install -D -m 644 systemd/debian/lintian-overrides "$root/usr/share/lintian/overrides/sd-gateway"
fi

package=$folder/sd-gateway_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
