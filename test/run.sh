#!/usr/bin/env bash
# Runs every check of the project, from a clean clone on: installs what it needs, builds, lints, tests.
#   npm test               all of it
#   npm test -- --quick    without the sanitizers, the Node versions, the prebuilt binaries and real systemd
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=false
for argument in "$@"; do
  case "$argument" in
    --quick) quick=true ;;
    *) echo "test/run.sh: unknown argument '$argument'; known: --quick" >&2; exit 64 ;;
  esac
done

passed=0
failed=0
skipped=0
failures=()
# Each failed test, told again at the end, where it is looked for.
failed_tests=$(mktemp)
trap 'rm -f "$failed_tests"' EXIT

heading() { printf '\n== %s\n' "$1"; }

# step NAME COMMAND...: runs it, counts it, goes on after a failure so that one run shows all of them.
step() {
  local name=$1
  shift
  heading "$name"
  local began=$SECONDS
  if "$@"; then
    passed=$((passed + 1))
    printf -- '-- %s: passed (%d s)\n' "$name" $((SECONDS - began))
  else
    failed=$((failed + 1))
    failures+=("$name")
    printf -- '-- %s: FAILED (%d s)\n' "$name" $((SECONDS - began))
  fi
}

# Debian's packages, each with the tests' reason for it.
declare -A debian_packages=(
  [build-essential]="compiles the addon and SQLite"
  [python3]="runs node-gyp and the tests' small servers"
  [iproute2]="brings up the network of the machines that the tests boot"
  [procps]="lists processes in the tests"
  [util-linux]="makes the namespaces of the machines that the tests boot"
  [file]="says what is in a binary"
  [systemd]="is what the gateway is tested under"
  [dbus]="carries the orders of systemctl in those machines"
  [libpam-systemd]="opens the sessions of user managers there"
  [dbus-user-session]="carries the orders of systemctl --user there"
  [man-db]="shows the manual pages"
  [mandoc]="checks the manual pages"
  [ngircd]="is the server of the IRC channel"
  [postfix]="is a mail server of the e-mail channel"
  [dovecot-imapd]="is the server of its mailboxes"
  [dovecot-lmtpd]="takes mails for them"
  [prometheus]="scrapes the gateway's metrics, and checks them and the alert rules"
  [openssl]="makes the certificate of both"
  [zsh]="runs the completions for it"
  [fish]="runs the completions for it"
  [lintian]="checks the Debian package"
  [libsystemd-dev]="is what the addon's protocols are compared with"
  [strace]="shows system calls to the tests"
  [g++-aarch64-linux-gnu]="compiles the addon for arm64"
  [musl-tools]="compiles the addon for musl"
  [valgrind]="looks for leaks in the addon"
  [qemu-user-static]="runs the addon for arm64"
)

install_debian_packages() {
  local missing=()
  local package
  for package in "${!debian_packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "Not root, so these are not installed, and the tests that need them are skipped:"
  else
    echo "To be installed:"
  fi
  for package in "${missing[@]}"; do printf '  %-22s %s\n' "$package" "${debian_packages[$package]}"; done | sort
  [ "$(id -u)" -eq 0 ] || return 0
  # The tests start servers by themselves; no package is to start its service.
  local policy=/usr/sbin/policy-rc.d has_policy=true
  if [ ! -e $policy ]; then
    has_policy=false
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  local status=0
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq "${missing[@]}" >/dev/null || status=$?
  $has_policy || rm $policy
  return $status
}

declare -A begun_process begun_output begun_at begun_report

# begin NAME COMMAND...: runs it beside the steps that follow, until `finish NAME` counts it and shows what it printed.
# It must neither read nor write anything that they do.
begin() {
  local name=$1
  shift
  begun_output[$name]=$(mktemp)
  begun_at[$name]=$SECONDS
  "$@" >"${begun_output[$name]}" 2>&1 &
  begun_process[$name]=$!
}

# begin_tests NAME COMMAND...: the same with a vitest run, whose tests are counted as `counted` does.
begin_tests() {
  begun_report[$1]=$(mktemp)
  VITEST_REPORT=${begun_report[$1]} begin "$@"
}

finish() {
  local name=$1
  ended() {
    local status=0
    wait "${begun_process[$name]}" || status=$?
    cat "${begun_output[$name]}"
    rm -f "${begun_output[$name]}"
    printf -- '(begun %d s ago, beside the others)\n' $((SECONDS - ${begun_at[$name]}))
    return $status
  }
  step "$name" ended
  if [ -n "${begun_report[$name]:-}" ]; then count_tests "${begun_report[$name]}"; fi
}

# count_tests REPORT: adds the tests of a vitest run, which has written this report to $VITEST_REPORT, to the steps that
# are counted.
count_tests() {
  eval "$(node -e '
    const r = JSON.parse(require("node:fs").readFileSync(process.argv[1], "utf8"));
    for (const file of r.testResults) {
      if (file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"))
        console.error(`${file.name}: ${file.message}`);
      for (const test of file.assertionResults)
        if (test.status === "failed") console.error(`${test.fullName}\n${test.failureMessages.join("\n").slice(0, 3000)}\n`);
    }
    console.log(`passed=$((passed + ${r.numPassedTests})) failed=$((failed + ${r.numFailedTests})) skipped=$((skipped + ${r.numPendingTests + r.numTodoTests}))`);
  ' "$1" 2>>"$failed_tests")"
  rm -f "$1"
}

# counted COMMAND...: runs it and counts the tests of its vitest run. The step that it is part of counts as one; its tests
# are added on top.
counted() {
  local report
  report=$(mktemp)
  local status=0
  VITEST_REPORT=$report "$@" || status=$?
  count_tests "$report"
  return $status
}

vitest() {
  local project=$1
  shift
  counted bash test/vitest.sh npx vitest run --project "$project" "$@"
}

# Tests of what depends on Node.js itself: system calls, processes, sockets, and SQLite's binary. A real agent, a mail server
# and one of IRC are programs by themselves, whatever starts them, and one channel that loses nothing by kills shows that Node.js
# does its part of it. test/all.sh has all of them in each Node.js.
mapfile -t other_node_tests < <(find test/native test/linux test/systemd test/agents test/channels -name '*.test.ts' \
  -not -path '*/acp/real/*' -not -name 'email-servers.test.ts' -not -name 'irc.test.ts' \
  -not -path '*/telegram/real-gateway.test.ts' -not -path '*/discord/real-gateway.test.ts')
other_node_tests+=(test/store/sqlite/contract.test.ts)
other_nodes=(22.23.3 24.21.0)
prepared="Copies for Node ${other_nodes[*]}, addon with the sanitizers"

# The packages of the tests' own folders. They come from the registry, so this waits more than it computes.
install_test_packages() {
  # sd-notify alone is built.
  if [ -f /usr/include/systemd/sd-daemon.h ]; then npm ci --prefix test/peers; else npm ci --ignore-scripts --prefix test/peers; fi
  npm ci --ignore-scripts --prefix test/library
  npm ci --ignore-scripts --prefix test/openai-clients
  npm ci --ignore-scripts --prefix tools/library/reference
  if $measured && { [ ! -d bench/node_modules ] || [ bench/package-lock.json -nt bench/node_modules/.package-lock.json ]; }; then
    npm ci --prefix bench --no-audit --no-fund
  fi
}

if command -v apt-get >/dev/null; then
  heading "Debian packages"
  install_debian_packages
fi

measured=false
if ! $quick && [ "$(id -u)" -eq 0 ]; then measured=true; fi

heading "npm packages"
if [ "${CI:-}" = true ] || [ ! -f node_modules/better-sqlite3-12/build/Release/better_sqlite3.node ] ||
  [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --ignore-scripts
  # Node 20's SQLite is compiled where no binary of it can be had, which takes two minutes on one processor. Nothing up to
  # the tests needs it. Nobody measures what CI builds, so that it is optimized less there, in half the time.
  if [ "${CI:-}" = true ]; then
    begin "better-sqlite3-12" env CFLAGS=-O1 CXXFLAGS=-O1 npm rebuild better-sqlite3-12
  else
    begin "better-sqlite3-12" npm rebuild better-sqlite3-12
  fi
fi
begin "npm packages of the tests" install_test_packages

heading "Build"
npm run build
export TYPESCRIPT_BUILT=yes

folder=$(mktemp -d)
# Some tests run Node.js as another user.
chmod a+rx "$folder"
trap 'rm -rf "$failed_tests" "$folder"' EXIT
if ! $quick; then
  # Filled by whoever is first to need a Node.js.
  export OTHER_NODES=$folder/nodes
  # It waits for downloads most of the time.
  begin "One binary in Node 20, 22, 24 and 26" bash test/native/node-versions.sh
  begin "Prebuilt binaries, packed" bash test/pack.sh pack "$folder/package"
fi
step "Lint and format" npm run --silent lint
# More threads would do a part of it twice, and the processors have other work.
step "Types" npm run --silent typecheck -- --singleThreaded
if ! $quick; then
  finish "One binary in Node 20, 22, 24 and 26"
  finish "Prebuilt binaries, packed"
fi
if [ -n "${begun_process[better-sqlite3-12]:-}" ]; then finish "better-sqlite3-12"; fi
finish "npm packages of the tests"
if ! $quick; then
  step "The packed program" bash test/pack.sh start "$folder/package"
  # In the time that the tests leave.
  begin "$prepared" nice -n 19 bash -c \
    'test/other-nodes.sh prepare "$@" && test/native/sanitize.sh prepare "$1/sanitized"' prepare "$folder" "${other_nodes[@]}"
fi
# Many wait for processes and timers: a third worker has the time that two leave.
step "Unit tests" vitest 'unit*' --maxWorkers=3
if ! $quick; then
  if $measured; then step "Benchmarks: right outputs" bash bench/run.sh --smoke; fi
  finish "$prepared"
  # It keeps one processor busy: it has the time that the machines of the next step leave.
  begin "Addon: 20,000 calls of each function without a leak" nice -n 19 env LEAK_LOOP_COUNT=20000 bash test/native/leak.sh
  step "Real systemd" vitest systemd --maxWorkers=2
  finish "Addon: 20,000 calls of each function without a leak"
  step "Addon under AddressSanitizer and UBSan" counted bash test/native/sanitize.sh run "$folder/sanitized" --maxWorkers=2
  # Both at a time, so that neither waits for the last file of the other.
  for version in "${other_nodes[@]}"; do
    begin_tests "Node $version: system calls, agents, channels, store" \
      bash test/other-nodes.sh run "$folder" "$version" "${other_node_tests[@]}" --maxWorkers=2
  done
  for version in "${other_nodes[@]}"; do finish "Node $version: system calls, agents, channels, store"; done
fi

printf '\n'
cat "$failed_tests"
for name in "${failures[@]}"; do printf 'failed: %s\n' "$name"; done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
if [ "${CI:-}" = true ] && [ "$skipped" -ne 0 ]; then
  echo "Under CI a skipped test is a failure."
  exit 1
fi
[ "$failed" -eq 0 ]
