import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ServiceManager, ServiceManagerError } from '../../manager/service-manager.js';
import { linkTarget } from '../../units/load-path.js';
import { scheduleOfTimer, scheduleUnits } from '../../units/schedule-units.js';
import { judge } from '../../units/unit-text.js';
import { commandStatus } from '../command.js';
import type { ScheduleFiles } from './files.js';
import { ScheduleError } from './place.js';

/** Where the units and the files of schedules are. */
export interface ScheduleStore {
  readonly manager: ServiceManager;
  readonly instance: string | null;
  readonly units: string;
  readonly files: ScheduleFiles;
}

/** The names of the instance's schedules, by their timers. */
export function scheduleNames({
  units,
  instance,
}: Pick<ScheduleStore, 'units' | 'instance'>): readonly string[] {
  if (!existsSync(units)) return [];
  return readdirSync(units)
    .flatMap((file) => scheduleOfTimer(instance, file) ?? [])
    .sort();
}

/**
 * Stops and disables the units of a schedule, and removes all of its files; gives their paths. Throws a ScheduleError if
 * somebody else has written a unit.
 */
export async function removeSchedule(
  { manager, instance, units, files }: ScheduleStore,
  name: string,
): Promise<readonly string[]> {
  const { timer, service } = scheduleUnits(instance, name);
  const written = [timer, service].filter((unit) => existsSync(join(units, unit)));
  for (const unit of written) {
    const path = join(units, unit);
    if (linkTarget(path) !== null || judge(readFileSync(path, 'utf8')) === 'foreign') {
      throw new ScheduleError(
        commandStatus.failure,
        `${path} was not written by "schedule add": look at it, and remove it by hand`,
      );
    }
  }
  // The timer first, so that it starts the service no more.
  for (const unit of written) {
    const { status, stderr } = await manager.act('stop', unit);
    if (status !== 0 && !/not loaded/.test(stderr)) {
      throw new ServiceManagerError(`systemctl stop ${unit}`, stderr.trim(), status);
    }
    await manager.disable(unit);
  }
  // The time of its last elapse; older versions of systemd keep it.
  if (written.includes(timer)) await manager.systemctl(['clean', '--what=state', timer]);
  for (const unit of written) rmSync(join(units, unit));
  const removed = [...written.map((unit) => join(units, unit)), ...files.remove(name)];
  if (written.length > 0) {
    await manager.daemonReload();
    for (const unit of written) await manager.act('reset-failed', unit);
  }
  return removed;
}
