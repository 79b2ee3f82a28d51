import { homedir } from 'node:os';
import { join } from 'node:path';
import { directories } from '../config/directories.js';
import type { Target } from './operate-find.js';
import type { UnitFacts } from './operate-unit.js';

/** Where the control socket of a gateway is; of a unit's, where its RuntimeDirectory= says. */
export function controlSocketOf(target: Target, unit: UnitFacts | null): string {
  const { runtime } = directories({
    instance: target.instance,
    environment: process.env,
    scope: unit?.scope ?? target.scope,
    home: homedir(),
  });
  if (unit === null || unit.runtimeDirectory === null) return join(runtime, 'control.sock');
  const uid = process.getuid?.() ?? 0;
  const base = unit.scope === 'system' ? '/run' : (process.env.XDG_RUNTIME_DIR ?? `/run/user/${uid}`);
  return join(base, unit.runtimeDirectory, 'control.sock');
}

/**
 * Whether RUNTIME_DIRECTORY names a gateway by its directory, as systemd does for what runs in a unit: then the command
 * is about the gateway there, whatever units there are.
 */
export function namedByDirectory(environment: NodeJS.ProcessEnv = process.env): boolean {
  return (environment.RUNTIME_DIRECTORY ?? '') !== '';
}
