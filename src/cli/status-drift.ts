import type { Drift } from '../units/drift-here.js';
import { commandFor, type Target } from './operate-find.js';
import type { DriftFacts } from './status-report.js';

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

/** The drift of an installed unit for a person, with what to do. */
export function driftFacts(drift: Drift, target: Target): DriftFacts {
  return { state: drift.state, text: textOf(drift, target), difference: drift.difference };
}
