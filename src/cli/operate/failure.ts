import { constants } from 'node:os';
import { isBetweenStarts } from '../../manager/service-manager.js';
import { formatTimeSpan } from '../../text/time-span.js';
import { commandStatus } from '../command.js';
import { describeCommand, describeExit } from './describe-exit.js';
import { commandFor, type ManagerTrouble, managerOf, systemctlFor, type Target } from './find.js';
import type { UnitState } from './unit.js';

export type OperationAction = 'start' | 'stop' | 'restart' | 'reload';

/** A failure in the words of an operator. */
export interface OperationFailure {
  /** One sentence without its full stop. */
  readonly reason: string;
  /** Next steps, a line each. */
  readonly next: readonly string[];
  /** The command's exit status. */
  readonly status: number;
  /** True if the journal knows more. */
  readonly journal: boolean;
}

function describeStartLimit({ startLimit }: UnitState): string {
  const often =
    startLimit === null
      ? 'too often'
      : `${startLimit.burst} times within ${formatTimeSpan(startLimit.interval)}`;
  return `it was started ${often}, and systemd has given up (start limit)`;
}

function reachedRuntimeLimit({ runtimeLimit, lastMain, exit }: UnitState): boolean {
  const startedAt = lastMain?.startedAt ?? null;
  const endedAt = exit?.at ?? null;
  return (
    runtimeLimit !== null && startedAt !== null && endedAt !== null && endedAt - startedAt >= runtimeLimit
  );
}

/** Result= of a unit in words (systemd.service(5), `$SERVICE_RESULT` in systemd.exec(5)). */
export function describeResult(unit: UnitState): string {
  const exit = unit.exit === null ? '' : `: ${describeExit(unit.exit)}`;
  if (unit.failedCommand !== null && ['exit-code', 'signal', 'core-dump'].includes(unit.result)) {
    const start = unit.failedCommand.directive.startsWith('ExecStop')
      ? ''
      : ', and systemd ended what it had started';
    return `${describeCommand(unit.failedCommand)}${start}`;
  }
  switch (unit.result) {
    case 'success':
      return `it ended${exit}`;
    case 'exit-code':
    case 'core-dump':
      return `the gateway ended${exit}`;
    case 'signal':
      // With OOMPolicy=continue a main process that the kernel has ended is no "oom-kill".
      return unit.exit?.status === constants.signals.SIGKILL
        ? `the gateway ended${exit} (by the kernel, if the journal says "killed by the OOM killer")`
        : `the gateway ended${exit}`;
    case 'timeout':
      if (reachedRuntimeLimit(unit)) {
        return `it had run for ${formatTimeSpan(unit.runtimeLimit ?? 0)}, as long as RuntimeMaxSec= allows, and systemd ended it`;
      }
      return 'it took longer than the unit allows (TimeoutStartSec=, TimeoutStopSec=), and systemd ended it';
    case 'protocol':
      return `the gateway ended before it had told systemd that it is ready${exit}`;
    case 'watchdog':
      return 'the watchdog ended it: the gateway gave no sign of life within WatchdogSec=';
    case 'oom-kill':
      return 'the kernel killed it for want of memory';
    case 'start-limit-hit':
      return describeStartLimit(unit);
    case 'resources':
      return 'systemd could not set up what the unit needs (Result=resources)';
    case 'exec-condition':
      return 'ExecCondition= kept it from starting';
    default:
      return `Result=${unit.result}${exit}`;
  }
}

/**
 * True if systemd refuses to start it again for a while. Result= mostly keeps the last start's failure. A failed unit
 * with as many restarts as the start limit allows has hit it.
 */
export function hitStartLimit(unit: UnitState): boolean {
  if (unit.result === 'start-limit-hit') return true;
  return unit.activeState === 'failed' && unit.startLimit !== null && unit.restarts >= unit.startLimit.burst;
}

/** Lists the next steps for a unit that has failed. */
export function nextAfter(unit: UnitState, target: Target): readonly string[] {
  if (hitStartLimit(unit)) {
    return [
      `See why it ended each time: ${commandFor('logs', target, false)}`,
      `Mend it, then: ${systemctlFor(`reset-failed ${unit.name}`, unit.scope)} && ${commandFor('start', target, true)}`,
    ];
  }
  if (unit.exit?.how === 'exited' && unit.exit.status === commandStatus.configuration) {
    return [
      `See what is wrong: ${commandFor('doctor', target, false)}`,
      `Of the configuration alone: ${commandFor('check-config', target, false)}`,
    ];
  }
  if (unit.exit?.how === 'exited' && unit.exit.status >= 200) {
    return [
      `Look at the unit: ${systemctlFor(`cat ${unit.name}`, unit.scope)}`,
      // The lines of a drop-in stay as they are.
      ...(unit.dropIns.length > 0 ? [] : [`Write it anew: ${commandFor('install', target, true)}`]),
    ];
  }
  return [
    `See all that was said: ${commandFor('logs --invocation current', target, false)}`,
    `Have it checked: ${commandFor('doctor', target, false)}`,
  ];
}

/** True if systemd starts it again by itself. */
export function triesAgain(unit: UnitState): boolean {
  return isBetweenStarts(unit.subState) || unit.activeState === 'activating';
}

/** The unit can't be used as it is; null when it can. */
export function whyUnusable(unit: UnitState, target: Target): OperationFailure | null {
  if (unit.loadState === 'masked') {
    return {
      reason: `${unit.name} is masked: it was made impossible to start`,
      next: [`Unmask it: ${systemctlFor(`unmask ${unit.name}`, unit.scope)}`],
      status: commandStatus.failure,
      journal: false,
    };
  }
  if (unit.loadState === 'loaded') return null;
  if (unit.loadState === 'not-found') {
    return {
      reason: `the unit file of ${unit.name} is gone: its gateway still runs, and nothing would start it again`,
      next: [`Write it anew: ${commandFor('install', target, true)}`],
      status: commandStatus.failure,
      journal: false,
    };
  }
  return {
    reason: `systemd can’t use the unit${unit.path === null ? ` ${unit.name}` : ` ${unit.path}`}: ${unit.loadError ?? `LoadState=${unit.loadState}`}`,
    next: [
      ...(unit.path === null
        ? []
        : [
            `See what is wrong with it: systemd-analyze ${unit.scope === 'user' ? '--user ' : ''}verify ${unit.path}`,
          ]),
      `Write it anew: ${commandFor('install --force', target, true)}`,
    ],
    status: commandStatus.failure,
    journal: false,
  };
}

/**
 * Says why systemctl could not do it.
 * @param printed by systemctl, in the C locale; null: the job itself failed
 * @param unit as it is afterwards
 */
export function explainFailure(
  action: OperationAction,
  printed: string | null,
  unit: UnitState,
  target: Target,
): OperationFailure {
  const said = printed ?? 'Job for it failed.';
  const [line = ''] = said.split('\n');
  if (/interactive authentication required|access denied|permission denied/i.test(said)) {
    return {
      reason: `this user may not ${action} ${unit.name}`,
      next: [`As root: ${commandFor(action, target, true)}`],
      status: commandStatus.noPermission,
      journal: false,
    };
  }
  const unusable = whyUnusable(unit, target);
  if (unusable !== null) return unusable;
  if (/^Job for .* canceled/m.test(said)) {
    return {
      reason: `somebody else asked systemd for something else with ${unit.name} meanwhile, and this ${action} was dropped`,
      next: [`See how it is: ${commandFor('status', target, false)}`],
      status: commandStatus.failure,
      journal: false,
    };
  }
  if (/dependency job for/i.test(said)) {
    return {
      reason: `a unit that ${unit.name} needs could not be started`,
      next: [`See which: ${systemctlFor(`list-dependencies ${unit.name}`, unit.scope)}`],
      status: commandStatus.failure,
      journal: true,
    };
  }
  if (/^Assertion failed on job for/m.test(said)) {
    return {
      reason: `${unit.name} was not started: an assertion of the unit is not met (Assert…= in [Unit])`,
      next: [`See the unit with its drop-ins: ${systemctlFor(`cat ${unit.name}`, unit.scope)}`],
      status: commandStatus.failure,
      journal: true,
    };
  }
  if (!/^Job for /m.test(said)) {
    return {
      reason: line === '' ? `systemctl ${action} failed` : `systemd refused: ${line.replace(/\.+$/, '')}`,
      next: [`See how it is: ${commandFor('status', target, false)}`],
      status: commandStatus.failure,
      journal: false,
    };
  }
  if (action === 'reload' && unit.failedReload !== null && unit.activeState === 'active') {
    return {
      reason: `${unit.name} could not be reloaded: ${describeCommand(unit.failedReload)}. The gateway runs on, with the configuration that it has`,
      next: [
        `Look at ExecReload= in the unit and its drop-ins: ${systemctlFor(`cat ${unit.name}`, unit.scope)}`,
        `Or have the gateway start anew: ${commandFor('restart', target, true)}`,
      ],
      status: commandStatus.failure,
      journal: false,
    };
  }
  if (action === 'reload') {
    return {
      reason: `${unit.name} could not be reloaded`,
      next: [`See all that was said: ${commandFor('logs --invocation current', target, false)}`],
      status: commandStatus.failure,
      journal: true,
    };
  }
  if (hitStartLimit(unit)) {
    const last = unit.exit === null ? '' : `; the last time it ended with ${describeExit(unit.exit)}`;
    return {
      reason: `${unit.name} was not started: ${describeStartLimit(unit)}${last}`,
      next: nextAfter(unit, target),
      status: commandStatus.failure,
      journal: true,
    };
  }
  const wasForgotten = unit.result === 'success' && unit.exit === null;
  if (unit.activeState === 'inactive' && (!unit.conditionMet || wasForgotten)) {
    return {
      reason: `${unit.name} was not started: a condition of the unit is not met`,
      next: [`See which: ${systemctlFor(`status ${unit.name}`, unit.scope)}`],
      status: commandStatus.failure,
      journal: true,
    };
  }
  const isConfiguration = unit.exit?.how === 'exited' && unit.exit.status === commandStatus.configuration;
  return {
    reason: `${unit.name} did not start: ${describeResult(unit)}`,
    next: nextAfter(unit, target),
    status: isConfiguration ? commandStatus.configuration : commandStatus.failure,
    journal: true,
  };
}

/** A stop that systemd carried out, and that was no clean one; null: it was clean. */
export function explainStop(before: UnitState, after: UnitState, target: Target): OperationFailure | null {
  const hadFailed = before.activeState === 'failed' || isBetweenStarts(before.subState);
  if (after.activeState === 'inactive' || (after.activeState === 'failed' && hadFailed)) return null;
  if (after.activeState === 'failed') {
    return {
      reason: `${after.name} has stopped, but not cleanly: ${describeResult(after)}`,
      next: nextAfter(after, target),
      status: commandStatus.failure,
      journal: true,
    };
  }
  const why =
    after.triggeredBy.length === 0 ? '' : `; ${after.triggeredBy.join(', ')} may have started it again`;
  return {
    reason: `${after.name} was stopped, and is ${after.activeState} (${after.subState}) again${why}`,
    next: [`See how it is: ${commandFor('status', target, false)}`],
    status: commandStatus.failure,
    journal: false,
  };
}

/** A restart by which a database would be lost that only the running gateway still has. `lost` says so. */
export function losesDatabase(lost: string, unit: UnitState): OperationFailure {
  return {
    reason: `${lost} Nothing was restarted`,
    next: [`To restart it all the same: ${systemctlFor(`restart ${unit.name}`, unit.scope)}`],
    status: commandStatus.failure,
    journal: false,
  };
}

/** A unit of another type than notify, whose gateway was not ready within TimeoutStartSec=. */
export function notServing({ name, scope }: UnitState, target: Target): OperationFailure {
  return {
    reason: `systemd has started ${name}, and the gateway does not serve yet. The unit's Type= has systemd not wait for that`,
    next: [
      `See what it is at: ${commandFor('status', target, false)}`,
      `Set Type=notify in [Service]: ${systemctlFor(`edit ${name}`, scope)}`,
    ],
    status: commandStatus.failure,
    journal: true,
  };
}

/** The failure as it is printed, without what the journal says. */
export function failureLines(failure: OperationFailure): readonly string[] {
  return [`${failure.reason.replace(/\.+$/, '')}.`, ...failure.next.map((line) => `  ${line}`)];
}

function troubleLines(trouble: ManagerTrouble | null): readonly string[] {
  if (trouble === null) return [];
  return [`  And ${trouble.text}.`, ...(trouble.next === null ? [] : [`  ${trouble.next}`])];
}

function hasNone({ scope, instance }: Target): string {
  return `${managerOf(scope)} has no unit${instance === null ? '' : ` for the instance ${instance}`}`;
}

/** The unit is one of the other scope. `trouble`: the scope's own manager could not be asked. */
export function elsewhereLines(
  action: OperationAction,
  { name, path, scope }: UnitState,
  target: Target,
  trouble: ManagerTrouble | null,
): readonly string[] {
  return [
    `the unit ${name} is one of ${managerOf(scope)}${path === null ? '' : ` (${path})`}; nothing was done.`,
    ...troubleLines(trouble),
    `  To ${action} it: ${commandFor(action, { ...target, scope }, true)}`,
  ];
}

/** There is nothing that could be started. */
export function nothingToStartLines(target: Target, trouble: ManagerTrouble | null): readonly string[] {
  const foreground = commandFor('run', target, true);
  if (trouble !== null) {
    return [
      `${trouble.text}, so no unit can be started.`,
      ...(trouble.next === null ? [] : [`  ${trouble.next}`]),
      `  Run the gateway in the foreground: ${foreground}`,
    ];
  }
  return [
    `${hasNone(target)}.`,
    `  Install it: ${commandFor('install', target, true)}`,
    `  Or run the gateway in the foreground: ${foreground}`,
  ];
}

/**
 * No gateway answers at the control socket either.
 * @param said what was said of the socket
 * @param askedManager whether the service manager was asked at all
 */
export function noAnswerLines(
  said: string,
  target: Target,
  trouble: ManagerTrouble | null,
  askedManager: boolean,
): readonly string[] {
  return [
    `${said}. Is it running, and as this user? For another instance there is --instance.`,
    ...(trouble === null && askedManager ? [`  And ${hasNone(target)}.`] : troubleLines(trouble)),
  ];
}
