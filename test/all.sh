#!/usr/bin/env bash
# Runs everything, which takes hours: `npm test`, then all tests in each other Node.js, real agents, the crash tester for
# half an hour and the soak for an hour. Stops at the first part that fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

part() {
  printf '\n== %s\n' "$1"
  shift
  local began=$SECONDS
  "$@"
  printf -- '-- passed (%d s)\n' $((SECONDS - began))
}

[ "$(id -u)" -eq 0 ] || { echo "test/all.sh: real systemd in namespaces needs root" >&2; exit 77; }
part "npm test" bash test/run.sh
# Twenty times as many inputs for each property, and as much time.
part "Properties, and coverage of the policy" \
  env PROPERTY_FACTOR=20 npx vitest run --project 'unit*' --testTimeout=400000 --coverage
folder=$(mktemp -d)
# Some tests run Node.js as another user.
chmod a+rx "$folder"
trap 'rm -rf "$folder"' EXIT
for version in 22.23.3 24.21.0; do
  part "Node $version: a copy" bash test/other-nodes.sh prepare "$folder" "$version"
  part "Node $version: unit tests" bash test/other-nodes.sh run "$folder" "$version"
  part "Node $version: real systemd" env PROJECT=systemd bash test/other-nodes.sh run "$folder" "$version"
done
part "The tutorial with a real agent" \
  env TUTORIAL_AGENT=real npx vitest run --project systemd test/machine/tutorial.test.ts
part "Real servers of mail and IRC: each fault at each step" env MAIL_FAULTS=all IRC_FAULTS=all \
  npx vitest run --project 'unit*' test/channels/email/cut-points.test.ts test/channels/command/irc-faults.test.ts
part "Real agents" npx vitest run --project real-agents --reporter=verbose --maxWorkers=1
part "Addon: 10^5 calls of each function without a leak" bash test/native/leak.sh
part "Mutants of the gateway, which the crash tester finds out" \
  env PROPERTY_FACTOR=20 npx vitest run --project systemd test/machine/crash-mutants.test.ts
part "Crash tester" npm run --silent crash
part "Soak" npm run --silent soak
git log -1 --format='Everything passed on %H.'
