import { homedir } from 'node:os';
import type { ServiceManager } from '../manager/service-manager.js';
import { unitName } from '../manager/unit-name.js';
import { type UnitDrift, unitDrift } from './drift.js';

export type Drift = Pick<UnitDrift, 'state' | 'difference' | 'reason'>;

/**
 * Compares the installed unit with what this version would write for this person; null for an instance of a template,
 * which install doesn’t write. A file that this user may not read leaves it undecided.
 */
export async function driftHere(
  manager: ServiceManager,
  name: string,
  instance: string | null,
): Promise<Drift | null> {
  if (name !== unitName(instance)) return null;
  const systemdVersion = await manager.version();
  try {
    return unitDrift({
      scope: manager.scope,
      instance,
      home: homedir(),
      environment: process.env,
      systemdVersion,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return { state: 'undecided', difference: '', reason: (error as Error).message };
  }
}
