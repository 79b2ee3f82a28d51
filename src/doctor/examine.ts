import { checkCommand } from './check-command.js';
import { checkConfiguration } from './check-configuration.js';
import { checkDirectories, checkPlaces, checkToken } from './check-data.js';
import { checkHistory } from './check-history.js';
import { checkJournal } from './check-journal.js';
import { checkLinger } from './check-linger.js';
import { checkManager } from './check-manager.js';
import { checkNode } from './check-node.js';
import { checkNotify } from './check-notify.js';
import { checkParts } from './check-parts.js';
import { checkPort } from './check-port.js';
import { checkDisk, checkStore } from './check-store.js';
import { checkTiming } from './check-timing.js';
import { checkUnit } from './check-unit.js';
import { checkUser } from './check-user.js';
import { checkWatchdog } from './check-watchdog.js';
import type { DoctorFacts } from './facts.js';
import type { Finding } from './finding.js';

const checks: readonly ((facts: DoctorFacts) => readonly Finding[])[] = [
  checkManager,
  checkLinger,
  checkUnit,
  checkUser,
  checkNotify,
  checkCommand,
  checkNode,
  checkConfiguration,
  checkPlaces,
  checkToken,
  checkDirectories,
  checkStore,
  checkDisk,
  checkPort,
  checkTiming,
  checkWatchdog,
  checkParts,
  checkHistory,
  checkJournal,
];

/** All verdicts over the facts, in the order in which a person reads them. */
export function examine(facts: DoctorFacts): readonly Finding[] {
  return checks.flatMap((check) => check(facts));
}
