import { homedir } from 'node:os';
import type { ServiceManager } from '../manager/service-manager.js';
import { unitName } from '../manager/unit-name.js';
import { type UnitDrift, unitDrift } from '../units/drift.js';
import { commandFor, type Target } from './operate-find.js';
import type { UnitFacts } from './operate-unit.js';
import type { DriftFacts } from './status-report.js';

type Drift = Pick<UnitDrift, 'state' | 'difference' | 'reason'>;

function textOf({ state, reason }: Drift, target: Target): string {
  const see = `see ${commandFor('install --dry-run', target, false)}`;
  switch (state) {
    case 'none':
      return 'as this version of sd-gateway writes it';
    case 'drifted':
      return `differs from what this version of sd-gateway would write; ${see}, then ${commandFor('install', target, true)}`;
    case 'edited':
      return `was edited since it was installed; ${see}. A drop-in ("systemctl edit") keeps own settings apart`;
    case 'foreign':
      return 'not written by "sd-gateway install"';
    case 'packaged':
      return 'came with a package';
    case 'undecided':
      return `whether it is what this version would write can’t be said${reason === null ? '' : `: ${reason}`}`;
    case 'not-installed':
      return 'not written by "sd-gateway install"; systemd finds it elsewhere';
  }
}

/** The same for a person, with what to do. */
export function driftFacts(drift: Drift, target: Target): DriftFacts {
  return { state: drift.state, text: textOf(drift, target), difference: drift.difference };
}

/** Compares the installed unit with what this version would write; null for a unit that install doesn’t write. */
export async function driftOf(
  manager: ServiceManager,
  { name, scope }: UnitFacts,
  { instance }: Target,
): Promise<DriftFacts | null> {
  if (name !== unitName(instance)) return null;
  const target = { scope, instance };
  const systemdVersion = await manager.version();
  try {
    return driftFacts(
      unitDrift({ ...target, home: homedir(), environment: process.env, systemdVersion }),
      target,
    );
  } catch (error) {
    // A file that this user may not read.
    if (!(error instanceof Error && 'code' in error)) throw error;
    return driftFacts({ state: 'undecided', difference: '', reason: error.message }, target);
  }
}
