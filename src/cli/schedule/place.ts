import { homedir } from 'node:os';
import { commandOf } from '../../doctor/facts/unit.js';
import { type Scope, ServiceManager } from '../../manager/service-manager.js';
import { type UnitOwner, unitDirectory } from '../../units/load-path.js';
import { ownProgram } from '../../units/plan.js';
import type { SchedulePlan } from '../../units/schedule-units.js';
import { instanceOf, locateGateway, scopeOf } from '../client/locate.js';
import { commandStatus } from '../command.js';
import { commandFor, whyNoManager } from '../operate/find.js';
import type { ParsedCommand } from '../usage.js';
import { ScheduleFiles } from './files.js';

/** It can't be done; `status` is the command's. */
export class ScheduleError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ScheduleError';
  }
}

/** A gateway that is a unit, and where its schedules are. */
export interface SchedulePlace {
  readonly manager: ServiceManager;
  readonly scope: Scope;
  readonly instance: string | null;
  /** The directory of the units. */
  readonly units: string;
  readonly files: ScheduleFiles;
  readonly plan: Omit<SchedulePlan, 'name' | 'calendar'>;
}

/** The directory in which units of schedules are. */
export function unitsOf(scope: Scope): string {
  const owner: UnitOwner = { scope, home: homedir(), environment: process.env };
  return unitDirectory(owner);
}

/** Throws a ScheduleError if this user may not change units, or there is no unit of a gateway. */
export async function placeOf(parsed: ParsedCommand, changes: boolean): Promise<SchedulePlace> {
  const scope = scopeOf(parsed);
  const instance = instanceOf(parsed);
  const target = { scope, instance };
  if (changes && scope === 'system' && process.getuid?.() !== 0) {
    const words = [parsed.command.name, ...parsed.operands.slice(0, 1), '…'].join(' ');
    throw new ScheduleError(
      commandStatus.noPermission,
      `only root can change the units of the system: ${commandFor(words, target, true)}`,
    );
  }
  const reason = await whyNoManager(scope);
  if (reason !== null) throw new ScheduleError(commandStatus.unavailable, reason);
  const { unit, directories } = await locateGateway(parsed);
  if (unit === null) {
    throw new ScheduleError(
      commandStatus.noUnit,
      `there is no unit of this gateway to post to; install one first: ${commandFor('install --now', target, true)}`,
    );
  }
  const manager = new ServiceManager(scope);
  const shown = await manager.show(unit, ['ExecStart', 'User', 'DynamicUser']);
  const words = commandOf(shown['ExecStart'] ?? '');
  const program = words.slice(0, Math.max(0, words.indexOf('run')));
  const { state, runtime, configuration } = directories;
  return {
    manager,
    scope,
    instance,
    units: unitsOf(scope),
    files: new ScheduleFiles(state),
    plan: {
      scope,
      instance,
      systemdVersion: await manager.version(),
      gateway: unit,
      user: { name: shown['User'] ?? '', isDynamic: shown['DynamicUser'] === 'yes' },
      program: program.length === 0 ? [process.execPath, ownProgram] : program,
      directories: { state, runtime, configuration },
    },
  };
}
