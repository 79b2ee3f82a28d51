import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Under CI nothing is left out: what is missing there makes its test fail. */
const everythingMustRun = process.env['CI'] === 'true';

export interface Peer {
  /** Why its tests are left out; null when they run. */
  readonly missing: string | null;
}

export function peer(available: boolean, missing: string): Peer {
  return { missing: available || everythingMustRun ? null : missing };
}

/** The npm package sd-notify: libsystemd's sd_notify for Node. */
export interface SdNotify {
  ready(): void;
  stopping(pid: number): void;
  watchdog(): void;
  sendStatus(text: string): void;
  sendState(state: string): void;
}

const sdNotifyFolder = fileURLToPath(new URL('./node_modules/sd-notify/', import.meta.url));

export const npmSdNotify = peer(
  existsSync(`${sdNotifyFolder}build/Release/notify.node`),
  'npm sd-notify is not built: apt-get install libsystemd-dev, then npm ci --prefix test/peers',
);

export function loadSdNotify(): SdNotify {
  return createRequire(import.meta.url)(sdNotifyFolder) as SdNotify;
}

export const systemdNotify = peer(
  spawnSync('systemd-notify', ['--version']).status === 0,
  'systemd-notify is not installed: apt-get install systemd',
);

const libsystemdProgram = fileURLToPath(new URL('./libsystemd.py', import.meta.url));

export const libsystemd = peer(
  spawnSync('python3', [libsystemdProgram, 'available']).status === 0,
  'libsystemd.so.0 or python3 is not installed: apt-get install libsystemd0 python3',
);

/** Gets libsystemd's answers in these environments, each in a process of its own. "self" stands for its PID. */
export function askLibsystemd(
  call: 'listen-fds' | 'watchdog' | 'notify',
  environments: readonly Readonly<Record<string, string>>[],
): unknown[] {
  const run = spawnSync('python3', [libsystemdProgram, call], {
    input: JSON.stringify(environments),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return JSON.parse(run.stdout);
}
