import { join } from 'node:path';
import { isLeftoverLink } from '../../config/directories.js';
import { describeStopped, stoppedJournald } from '../../manager/journald.js';
import { ProgramError } from '../../manager/program.js';
import { ServiceManager, unitName } from '../../manager/service-manager.js';
import { formatExactTimeSpan } from '../../text/time-span.js';
import { describeObstacle, lineOf, startObstacles } from '../../units/start-obstacles.js';
import { isUserName, unitUser, userExists } from '../../units/unit-user.js';
import {
  explainFailure,
  failureLines,
  type OperationAction,
  type OperationFailure,
  triesAgain,
} from './failure.js';
import { commandFor, systemctlFor, type Target } from './find.js';
import { reasonsSince } from './journal.js';
import type { UnitState } from './unit.js';

/** A failure as it is told to a person. */
export interface FailureReport {
  readonly lines: readonly string[];
  /** The command's exit status. */
  readonly status: number;
}

export interface FailedAction {
  readonly action: OperationAction;
  readonly target: Target;
  /** When the order was given, in ms since the Unix epoch; what the journal has since then is about it. */
  readonly began: number;
  /** The invocation that ran before it. */
  readonly invocationBefore: string | null;
}

/** Writes the reason, the journal's lines about it, systemd's next attempt and the operator's next step. */
export async function failureReport(
  { action, target, began, invocationBefore }: FailedAction,
  failure: OperationFailure,
  after: UnitState | null,
): Promise<FailureReport> {
  let told = failure;
  const said: string[] = [];
  if (failure.journal && after !== null) {
    const { records, trouble, startLimit } = await reasonsSince(after, began, invocationBefore);
    for (const { identifier, message } of records) {
      for (const line of message.split('\n').slice(0, 8)) said.push(`  ${identifier}: ${line}`);
    }
    if (startLimit && action !== 'stop') {
      told = explainFailure(action, null, { ...after, result: 'start-limit-hit' }, target);
    }
    const starts = action === 'start' || action === 'restart';
    const obstacles = starts ? await obstaclesTo(after, target) : [];
    if (starts && obstacles.length === 0) told = { ...told, next: [...dropInSteps(after), ...told.next] };
    if (obstacles.length > 0) {
      // A program of the unit's own file that is gone is mended by writing the file anew.
      const isMore = startLimit || (after.exit?.status === 203 && after.dropIns.length === 0);
      told = { ...told, next: isMore ? [...obstacles, ...told.next] : obstacles };
    }
    // A command beside the gateway failed: the gateway's word is not about that.
    if (records.length === 0 && after.statusText !== null && after.failedCommand === null)
      said.push(`  Its last word: ${after.statusText}`);
    const journald = await stoppedJournald(after.logNamespace);
    if (journald !== null) said.push(`  (${describeStopped(journald)})`);
    else if (trouble !== null) said.push(`  (${trouble})`);
    if (triesAgain(after)) {
      const delay =
        after.restartDelay === null ? '' : `, ${formatExactTimeSpan(after.restartDelay)} after each end`;
      said.push(`  systemd starts it again by itself (Restart=${after.restart}${delay}).`);
    }
  }
  const [first = '', ...next] = failureLines(told);
  return { lines: [first, ...said, ...next], status: told.status };
}

/** Nobody remembers the drop-ins of a unit that has worked for long. */
function dropInSteps({ scope, name, dropIns }: UnitState): string[] {
  if (dropIns.length === 0) return [];
  const cat = systemctlFor(`cat ${name}`, scope);
  return [`Drop-ins apply to it: ${dropIns.join(' ')}`, `See the unit with them: ${cat}`];
}

async function isMissing(user: string): Promise<boolean> {
  try {
    return !(await userExists(user));
  } catch (error) {
    // Nobody can be asked; then systemd's own words are all there is.
    if (error instanceof ProgramError) return false;
    throw error;
  }
}

/** Names the command that makes a missing user. */
function aboutUser(user: string, unit: UnitState, target: Target): string {
  const what = `The user ${user}, as which ${unit.name} runs, does not exist.`;
  const install = commandFor('install', target, true);
  const line = lineOf([...(unit.path === null ? [] : [unit.path]), ...unit.dropIns], 'User');
  if (line !== null && unit.dropIns.includes(line.file)) {
    const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
    const again = `${systemctlFor('daemon-reload', unit.scope)} && ${commandFor('start', target, true)}`;
    return `${what} ${line.file}:${line.line} has ${line.text}. To make it: ${sudo}useradd --system ${user}. Or mend that line, then: ${again}`;
  }
  if (user === unitUser(target.instance)) return `${what} To make it: ${install}`;
  // Such a name is that of an instance of the template; the unit that install writes has another.
  if (unit.name !== unitName(target.instance) && !isUserName(user)) {
    // It has failed, and is in the way of the other one until systemd forgets that.
    const remove = ['disable --now', 'reset-failed'].map((verb) =>
      systemctlFor(`${verb} ${unit.name}`, unit.scope),
    );
    const commands = [...remove, install].join(' && ');
    return `${what} systemd-sysusers makes none of such a name. For a unit with another one: ${commands}`;
  }
  return `${what} Make it, or have the unit run as another: ${commandFor('install --run-as USER', target, true)}`;
}

/** Names the conditions for which systemd skipped the last start (systemd.unit(5)). */
async function unmetConditions({ scope, name, activeState, conditionMet }: UnitState): Promise<string[]> {
  if (activeState !== 'inactive' || conditionMet) return [];
  const { stdout } = await new ServiceManager(scope).systemctl(['status', '--no-pager', '--lines=0', name]);
  return [...stdout.matchAll(/(Condition\w+=.*) was not met$/gm)].map(
    ([, condition]) => `systemd skips the start as long as this is not met: ${condition}`,
  );
}

/** Names the command for which systemd skipped the last start (systemd.service(5)). */
function failedCondition({ scope, name, activeState, result, path, dropIns }: UnitState): string[] {
  if (activeState !== 'inactive' || result !== 'exec-condition') return [];
  const line = lineOf([...(path === null ? [] : [path]), ...dropIns], 'ExecCondition');
  const where = line === null ? 'ExecCondition=' : `${line.file}:${line.line}: ${line.text}`;
  return [
    `systemd skips the start as long as this command fails: ${where}`,
    `See the unit with its drop-ins: ${systemctlFor(`cat ${name}`, scope)}`,
  ];
}

/** The lines of the unit's files that keep it from starting, and how to see them all. */
function obstaclesInFiles({ scope, name, path, dropIns }: UnitState): string[] {
  const found = startObstacles([...(path === null ? [] : [path]), ...dropIns]);
  if (found.length === 0) return [];
  return [
    ...found.map(describeObstacle),
    `See the unit with its drop-ins: ${systemctlFor(`cat ${name}`, scope)}`,
    `Mend it, then: ${systemctlFor('daemon-reload', scope)}`,
  ];
}

/** The obstacles that keep systemd from starting a unit: a sentence for each, with the command that mends it. */
export async function obstaclesTo(unit: UnitState, target: Target): Promise<readonly string[]> {
  const { scope, user, dynamicUser, runtimeDirectory } = unit;
  const unmet = [...(await unmetConditions(unit)), ...failedCondition(unit)];
  if (unmet.length > 0) return unmet;
  const found = obstaclesInFiles(unit);
  // The user and the link of a unit with DynamicUser= are made at its start.
  if (scope !== 'system' || dynamicUser) return found;
  if (user !== null && (await isMissing(user))) found.push(aboutUser(user, unit, { ...target, scope }));
  const path = runtimeDirectory === null ? null : join('/run', runtimeDirectory);
  if (path !== null && isLeftoverLink(path)) {
    const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
    found.push(
      `${path} is a link that a unit with DynamicUser= has left, and in the place of the runtime directory. To remove it: ${sudo}rm ${path}`,
    );
  }
  return found;
}
