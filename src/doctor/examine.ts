import { checkDirectories, checkDisk, checkPlaces, checkStore, checkToken } from './checks/data.js';
import { checkJournal } from './checks/journal.js';
import { checkPort } from './checks/network.js';
import { checkAgent, checkConfiguration, checkNode } from './checks/program.js';
import { checkDeadLetters, checkHistory, checkParts, checkTiming, checkWatchdog } from './checks/running.js';
import { checkEnvironment, checkLinger, checkManager } from './checks/systemd.js';
import { checkCommand, checkNotify, checkUnit, checkUser } from './checks/unit.js';
import type { DoctorFacts } from './facts.js';
import type { Finding } from './finding.js';

const checks: readonly ((facts: DoctorFacts) => readonly Finding[])[] = [
  checkManager,
  checkLinger,
  checkEnvironment,
  checkUnit,
  checkUser,
  checkNotify,
  checkCommand,
  checkNode,
  checkConfiguration,
  checkAgent,
  checkPlaces,
  checkToken,
  checkDirectories,
  checkStore,
  checkDisk,
  checkPort,
  checkTiming,
  checkWatchdog,
  checkParts,
  checkDeadLetters,
  checkHistory,
  checkJournal,
];

/** All verdicts over the facts, in the order in which a person reads them. */
export function examine(facts: DoctorFacts): readonly Finding[] {
  return checks.flatMap((check) => check(facts));
}
