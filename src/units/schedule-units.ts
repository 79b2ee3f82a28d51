import type { Scope } from '../manager/service-manager.js';
import { firstVersion } from './render.js';
import {
  commandLine,
  directive,
  escapeSpecifiers,
  parseUnit,
  quoteWord,
  seal,
  type UnitLine,
  unitText,
} from './unit-text.js';

/** A name for a schedule: it is part of the names of units and files. */
export function isScheduleName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name);
}

/** Names of no gateway's unit begin so: an instance's name has no ":". */
const prefix = 'sd-gateway-schedule:';

function stem(instance: string | null): string {
  return instance === null ? prefix : `${prefix}${instance}:`;
}

/** The units of a schedule. */
export interface ScheduleUnits {
  readonly timer: string;
  readonly service: string;
}

export function scheduleUnits(instance: string | null, name: string): ScheduleUnits {
  const both = `${stem(instance)}${name}`;
  return { timer: `${both}.timer`, service: `${both}.service` };
}

/** The schedule of the instance that a file is the timer of; null: it is another file. */
export function scheduleOfTimer(instance: string | null, file: string): string | null {
  const begin = stem(instance);
  if (!file.startsWith(begin) || !file.endsWith('.timer')) return null;
  const name = file.slice(begin.length, -'.timer'.length);
  return isScheduleName(name) ? name : null;
}

/** All that the units of a schedule are made from. */
export interface SchedulePlan {
  readonly scope: Scope;
  readonly instance: string | null;
  readonly name: string;
  readonly calendar: string;
  readonly systemdVersion: number;
  /** The gateway's unit. */
  readonly gateway: string;
  /** `User=` and `DynamicUser=` of the gateway's unit; an empty user: it has none. */
  readonly user: { readonly name: string; readonly isDynamic: boolean };
  /** The program and its first words, such as Node.js and the program's file. */
  readonly program: readonly string[];
  readonly directories: { readonly state: string; readonly runtime: string; readonly configuration: string };
}

/** Directives of the gateway's unit that a post has no need of. */
const ofTheGateway =
  /^(?:Type|NotifyAccess|Exec.*|Environment.*|.*Restart.*|SuccessExitStatus|WatchdogSec|Timeout.*|KillMode|OOMPolicy|(?:State|Runtime|Configuration)Directory.*|FileDescriptorStoreMax|User)$/;

function sandboxOf(shipped: string, { scope, systemdVersion }: SchedulePlan): readonly UnitLine[] {
  const lines = parseUnit(shipped);
  const begin = lines.findIndex((line) => line.kind === 'section' && line.name === 'Service');
  const end = lines.findIndex((line) => line.kind === 'section' && line.name === 'Install');
  return lines
    .slice(begin, end)
    .filter(
      (line) =>
        line.kind === 'directive' &&
        !ofTheGateway.test(line.name) &&
        firstVersion(line.name, scope) <= systemdVersion,
    );
}

/** `Type=oneshot` goes with `Restart=on-failure` (systemd.service(5)). */
const restartedOneshotVersion = 244;

/** Exit statuses of a post: not yet, and never. */
export const postStatus = { later: 75, refused: 78 } as const;

function section(name: string, lines: readonly UnitLine[]): string {
  return `[${name}]\n${unitText(lines)}`;
}

function stateOf({ scope, directories: { state }, user }: SchedulePlan): readonly UnitLine[] {
  const below =
    scope === 'system' && /^\/var\/lib\/[^/]+$/.test(state) ? state.slice('/var/lib/'.length) : null;
  // A dynamic user's directories are for systemd to find.
  if (below !== null && user.isDynamic) return [directive('StateDirectory', quoteWord(below))];
  return [
    directive('ReadWritePaths', quoteWord(state)),
    directive('Environment', quoteWord(`STATE_DIRECTORY=${state}`)),
  ];
}

/** The service that posts the message of a schedule. It has the gateway's user and sandbox, and only the schedule's name. */
export function scheduleService(shipped: string, plan: SchedulePlan): string {
  const { scope, instance, name, gateway, user, program, directories, systemdVersion } = plan;
  const [file = '', ...words] = program;
  const title = `Post of the schedule ${name} to ${instance === null ? 'the gateway' : `the gateway ${instance}`}`;
  const unit = [
    directive('Description', escapeSpecifiers(title)),
    directive('Documentation', 'man:sd-gateway(1)'),
    directive('After', gateway),
    directive('StartLimitIntervalSec', '0'),
  ];
  const service = [
    directive('Type', systemdVersion >= restartedOneshotVersion ? 'oneshot' : 'simple'),
    directive('ExecStart', commandLine(file, [...words, 'schedule', 'post', name])),
    directive('SyslogIdentifier', 'sd-gateway'),
    directive('TimeoutStartSec', '5min'),
    directive('Restart', 'on-failure'),
    directive('RestartSec', '5'),
    directive('RestartPreventExitStatus', String(postStatus.refused)),
    ...(user.name === '' || scope === 'user' ? [] : [directive('User', escapeSpecifiers(user.name))]),
    ...(user.isDynamic ? [directive('DynamicUser', 'yes')] : []),
    ...stateOf(plan),
    directive('Environment', quoteWord(`RUNTIME_DIRECTORY=${directories.runtime}`)),
    directive('Environment', quoteWord(`CONFIGURATION_DIRECTORY=${directories.configuration}`)),
    ...sandboxOf(shipped, plan),
  ];
  // The next boot posts those that a restart of the machine has cut off.
  const install = [directive('WantedBy', scope === 'system' ? 'multi-user.target' : 'default.target')];
  return seal(
    [section('Unit', unit), section('Service', service), section('Install', install)].join('\n'),
    'schedule add',
  );
}

/** The timer of a schedule. */
export function scheduleTimer({ instance, name, calendar }: SchedulePlan): string {
  const { service } = scheduleUnits(instance, name);
  const title = `Schedule ${name} of ${instance === null ? 'the gateway' : `the gateway ${instance}`}`;
  return seal(
    [
      section('Unit', [
        directive('Description', escapeSpecifiers(title)),
        directive('Documentation', 'man:sd-gateway(1)'),
      ]),
      section('Timer', [
        directive('OnCalendar', escapeSpecifiers(calendar)),
        directive('Persistent', 'yes'),
        directive('AccuracySec', '1s'),
        directive('Unit', service),
      ]),
      section('Install', [directive('WantedBy', 'timers.target')]),
    ].join('\n'),
    'schedule add',
  );
}
