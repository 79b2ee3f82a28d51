import { closeSync, constants, fchmodSync, openSync } from 'node:fs';
import { ProgramError, runProgram } from '../manager/program.js';
import { type Scope, ServiceManager, ServiceManagerError } from '../manager/service-manager.js';
import { checkChannels, checkDeliveries } from './checks/channels.js';
import {
  checkDirectories,
  checkDisk,
  checkPlaces,
  checkStore,
  checkStoreLog,
  checkToken,
  octal,
} from './checks/data.js';
import { checkJournal } from './checks/journal.js';
import { checkPort } from './checks/network.js';
import { checkPlatforms } from './checks/platforms.js';
import { checkAgent, checkConfiguration, checkNode } from './checks/program.js';
import { checkDeadLetters, checkHistory, checkParts, checkTiming, checkWatchdog } from './checks/running.js';
import { checkKill, checkNotify } from './checks/signals.js';
import { checkEnvironment, checkLinger, checkManager } from './checks/systemd.js';
import { checkCommand, checkUnit, checkUser } from './checks/unit.js';
import type { DoctorFacts } from './facts.js';
import type { Finding, Fix } from './finding.js';

const checks: readonly ((facts: DoctorFacts) => readonly Finding[])[] = [
  checkManager,
  checkLinger,
  checkEnvironment,
  checkUnit,
  checkUser,
  checkNotify,
  checkKill,
  checkCommand,
  checkNode,
  checkConfiguration,
  checkAgent,
  checkPlaces,
  checkToken,
  checkDirectories,
  checkStore,
  checkStoreLog,
  checkDisk,
  checkPort,
  checkPlatforms,
  checkTiming,
  checkWatchdog,
  checkParts,
  checkChannels,
  checkDeliveries,
  checkDeadLetters,
  checkHistory,
  checkJournal,
];

/** All verdicts over the facts, in the order in which a person reads them. */
export function examine(facts: DoctorFacts): readonly Finding[] {
  return checks.flatMap((check) => check(facts));
}

export interface Mended {
  readonly done: boolean;
  /** A sentence about what was done, or why it was not. */
  readonly text: string;
}

/**
 * The gateway's user owns the directory: root follows no link that they may have put at the file's place. The state
 * directory itself is a link with DynamicUser=, in a directory of root's.
 */
function changeMode(path: string, mode: number, isDirectory: boolean): void {
  const kind = isDirectory ? constants.O_DIRECTORY : constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const descriptor = openSync(path, constants.O_RDONLY | kind);
  try {
    fchmodSync(descriptor, mode);
  } finally {
    closeSync(descriptor);
  }
}

async function perform(fix: Fix, scope: Scope): Promise<string> {
  const manager = new ServiceManager(scope);
  switch (fix.kind) {
    case 'chmod':
      changeMode(fix.path, fix.mode, fix.isDirectory);
      return `Set the mode of ${fix.path} to ${octal(fix.mode)}`;
    case 'daemon-reload':
      await manager.daemonReload();
      return 'Had systemd read the changed units (daemon-reload)';
    case 'enable-linger': {
      const { status, stderr } = await runProgram('loginctl', ['enable-linger', fix.user]);
      if (status !== 0) throw new ServiceManagerError('loginctl enable-linger', stderr.trim(), status);
      return `Let the user manager of ${fix.user} run without a log-in (loginctl enable-linger ${fix.user})`;
    }
    case 'reset-failed': {
      const { status, stderr } = await manager.act('reset-failed', fix.unit);
      if (status !== 0) throw new ServiceManagerError('systemctl reset-failed', stderr.trim(), status);
      return `Had systemd forget the failure of ${fix.unit} (reset-failed); it is not started`;
    }
  }
}

/** Performs one mend; a failure is told, not thrown. */
export async function applyFix(fix: Fix, scope: Scope): Promise<Mended> {
  try {
    return { done: true, text: await perform(fix, scope) };
  } catch (error) {
    const isExpected =
      error instanceof ServiceManagerError ||
      error instanceof ProgramError ||
      (error as NodeJS.ErrnoException).code !== undefined;
    if (!isExpected) throw error;
    return { done: false, text: `${fix.kind} failed: ${(error as Error).message}` };
  }
}
