import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { scopeOfUser } from '../../config/directories.js';
import { ProgramError } from '../../manager/program.js';
import {
  otherScope,
  type Scope,
  ServiceManager,
  ServiceManagerError,
  unitNames,
} from '../../manager/service-manager.js';
import { booted } from '../../systemd/evidence.js';
import { commandLine, ownCommand } from '../../text/own-command.js';
import { unitDirectory } from '../../units/load-path.js';
import { readUnit, type UnitState } from './unit.js';

/** Which gateway a command is about. */
export interface Target {
  readonly scope: Scope;
  /** The instance; null for the one without a name. */
  readonly instance: string | null;
}

/** A reason why a service manager could not be asked, and the operator's next step. */
export interface ManagerTrouble {
  readonly scope: Scope;
  readonly kind: 'no-systemd' | 'no-manager' | 'other';
  readonly text: string;
  readonly next: string | null;
}

export type Found =
  | { readonly kind: 'unit'; readonly manager: ServiceManager; readonly unit: UnitState }
  /** There is none in the scope that was asked for, and one in the other. */
  | {
      readonly kind: 'elsewhere';
      readonly manager: ServiceManager;
      readonly unit: UnitState;
      readonly trouble: ManagerTrouble | null;
    }
  /** `trouble`: the scope's own manager could not be asked, so that nobody knows. */
  | { readonly kind: 'none'; readonly trouble: ManagerTrouble | null };

/**
 * The command to type for it. `privileged`: it changes something, which in the system's scope takes root.
 * @param uid of the person who is told
 */
export function commandFor(
  words: string,
  { scope, instance }: Target,
  privileged: boolean,
  uid: number = process.getuid?.() ?? -1,
): string {
  const isDefault = scope === scopeOfUser(uid);
  const sudo = scope === 'system' && uid !== 0 && privileged;
  return `${sudo ? 'sudo ' : ''}${commandLine(words, { scope: isDefault || sudo ? null : scope, instance })}`;
}

/** The systemctl command to type, in the unit's scope. */
export function systemctlFor(words: string, scope: Scope, uid: number = process.getuid?.() ?? -1): string {
  if (scope === 'user') return `systemctl --user ${words}`;
  return `${uid === 0 ? '' : 'sudo '}systemctl ${words}`;
}

/** Names the manager in words. */
export function managerOf(scope: Scope): string {
  return scope === 'system' ? 'the system’s service manager' : 'your user manager';
}

/** Says in words why a manager does not answer. */
export function managerTrouble(scope: Scope, error: ProgramError | ServiceManagerError): ManagerTrouble {
  if (error instanceof ProgramError) {
    return error.reason === 'missing'
      ? { scope, kind: 'no-systemd', text: 'there is no systemctl here', next: null }
      : { scope, kind: 'other', text: error.message, next: null };
  }
  const [line = ''] = error.detail.split('\n');
  if (error.detail.includes('not been booted with systemd')) {
    return { scope, kind: 'no-systemd', text: 'systemd is not the init system here', next: null };
  }
  if (/^Failed to connect to .*bus/.test(line)) {
    return scope === 'user'
      ? {
          scope,
          kind: 'no-manager',
          text: `your systemd user manager can’t be reached (${line})`,
          next: 'Log in as this user (not with su or sudo: "machinectl shell USER@" does), or have root run "loginctl enable-linger USER".',
        }
      : { scope, kind: 'no-manager', text: `systemd can’t be reached (${line})`, next: null };
  }
  return { scope, kind: 'other', text: error.message, next: null };
}

async function lookIn(manager: ServiceManager, instance: string | null): Promise<UnitState | null> {
  for (const name of unitNames(instance)) {
    const unit = await readUnit(manager, name);
    // The manager keeps a unit whose file is gone for as long as it runs.
    if (unit.loadState !== 'not-found' || unit.mainPid !== null) return unit;
  }
  return null;
}

/**
 * The file by which this user has a unit of their own, or has enabled one of the machine's for themselves; null: there is
 * none.
 */
function ownUnitFile(instance: string | null): string | null {
  const directory = unitDirectory({ scope: 'user', home: homedir(), environment: process.env });
  if (!existsSync(directory)) return null;
  const folders = readdirSync(directory).filter((name) => /\.(wants|requires)$/.test(name));
  const paths = ['', ...folders].flatMap((folder) =>
    unitNames(instance).map((name) => join(directory, folder, name)),
  );
  return paths.find((path) => existsSync(path)) ?? null;
}

/** Looks for the unit in its scope, then in the other one. */
export async function findUnit({ scope, instance }: Target): Promise<Found> {
  let trouble: ManagerTrouble | null = null;
  for (const place of [scope, otherScope(scope)]) {
    const manager = new ServiceManager(place);
    try {
      const unit = await lookIn(manager, instance);
      if (unit !== null) {
        return place === scope
          ? { kind: 'unit', manager, unit }
          : { kind: 'elsewhere', manager, unit, trouble };
      }
    } catch (error) {
      if (!(error instanceof ProgramError || error instanceof ServiceManagerError)) throw error;
      // A failure to reach the other scope's manager is no news: root can seldom reach its own user manager.
      if (place !== scope) continue;
      trouble = managerTrouble(scope, error);
      const own = scope === 'user' ? ownUnitFile(instance) : null;
      // That one is meant, and nobody knows how it is: a unit of the system is another gateway.
      if (own !== null)
        return { kind: 'none', trouble: { ...trouble, text: `${trouble.text}; the unit is ${own}` } };
    }
  }
  return { kind: 'none', trouble };
}

/** Explains why the scope's service manager can’t be asked, with a next step. Returns null if it can. */
export async function whyNoManager(scope: Scope): Promise<string | null> {
  if (process.platform !== 'linux') {
    return `units are for systemd, which ${process.platform} doesn’t have; "${ownCommand('run')}" runs the gateway in the foreground`;
  }
  if (!booted()) {
    return `this machine was not booted with systemd; "${ownCommand('run')}" runs the gateway in the foreground, for another supervisor or by hand`;
  }
  try {
    await new ServiceManager(scope).showManager(['Version']);
    return null;
  } catch (error) {
    if (!(error instanceof ServiceManagerError) && !(error instanceof ProgramError)) throw error;
    const hint =
      scope === 'user'
        ? `your own service manager does not answer: log in as this user ("machinectl shell USER@", ssh), not by su or sudo; or have an administrator run "loginctl enable-linger USER"`
        : 'the system’s service manager does not answer';
    return `${hint} (${error.message})`;
  }
}
