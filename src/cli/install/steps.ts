import type { InstallFacts, NewFile } from './facts.js';
import { changesUnit, systemctl } from './preflight.js';
import type { InstallRequest } from './request.js';
import type { OwnUser } from './user.js';

/** One thing that install does. */
export type InstallStep =
  | { readonly kind: 'user'; readonly user: OwnUser }
  | { readonly kind: 'leftover-link'; readonly path: string }
  | { readonly kind: 'configuration'; readonly file: NewFile }
  | { readonly kind: 'unit'; readonly file: NewFile; readonly former: string | null }
  | { readonly kind: 'daemon-reload' }
  | { readonly kind: 'enable' }
  | { readonly kind: 'catalog'; readonly file: NewFile }
  | { readonly kind: 'linger'; readonly user: string }
  | { readonly kind: 'start' | 'restart' };

/** Lists the steps of an install in their order. */
export function installSteps(facts: InstallFacts, request: InstallRequest): readonly InstallStep[] {
  const { installed, rendered, user, leftoverLink, sample, catalog, linger, state } = facts;
  const changed = changesUnit(facts);
  const steps: InstallStep[] = [];
  if (user !== null && (!user.exists || user.declaration !== null)) steps.push({ kind: 'user', user });
  if (leftoverLink !== null) steps.push({ kind: 'leftover-link', path: leftoverLink });
  if (facts.awaitsUser !== null) return request.now ? [...steps, { kind: 'start' }] : steps;
  if (sample !== null) steps.push({ kind: 'configuration', file: sample });
  if (changed) {
    const file = { path: installed.path, text: rendered.text, mode: 0o644 };
    steps.push({ kind: 'unit', file, former: installed.text }, { kind: 'daemon-reload' });
  }
  if (request.enable && state?.enabled !== 'enabled') steps.push({ kind: 'enable' });
  if (catalog !== null) steps.push({ kind: 'catalog', file: catalog });
  if (linger !== null && !linger.enabled) steps.push({ kind: 'linger', user: linger.user });
  if (request.now) {
    if (state?.active !== 'active') steps.push({ kind: 'start' });
    else if (changed) steps.push({ kind: 'restart' });
  }
  return steps;
}

/** Describes a step before it is done. */
export function describeStep(step: InstallStep, facts: InstallFacts): string {
  switch (step.kind) {
    case 'user': {
      const { name, exists, path, declaration } = step.user;
      const declare = declaration === null ? [] : [`write ${path}, which declares the user ${name}`];
      return [...declare, ...(exists ? [] : [`have systemd-sysusers make the user ${name}`])].join(', and ');
    }
    case 'leftover-link':
      return `remove ${step.path}, a link that a unit with DynamicUser= has left`;
    case 'configuration':
      return `write ${step.file.path}, a configuration to begin with`;
    case 'unit':
      return `${step.former === null ? 'write' : 'update'} ${step.file.path}, after a check by systemd-analyze`;
    case 'daemon-reload':
      return `have systemd read its units again (${systemctl(facts, 'daemon-reload').replace(` ${facts.unit}`, '')})`;
    case 'enable':
      return `enable ${facts.unit}, so that it is started at ${facts.target.scope === 'system' ? 'boot' : 'login, or at boot with linger'}`;
    case 'catalog':
      return `write ${step.file.path}, and have journalctl know it`;
    case 'linger':
      return `offer to let ${step.user}’s units run without a session (loginctl enable-linger ${step.user})`;
    case 'start':
    case 'restart':
      return `${step.kind} ${facts.awaitsUser ?? facts.unit}`;
  }
}
