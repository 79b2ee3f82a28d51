import { ServiceManager } from '../../manager/service-manager.js';
import { type Runner, runnerOf, runnerProperties } from '../../units/runner.js';
import type { GatewayLocation } from './locate.js';

/** The user who runs the gateway there: the unit's, or this one. Asks the manager. */
export async function unitRunner({ unit, scope, unitUser }: GatewayLocation): Promise<Runner> {
  if (unit === null || scope === 'user') return runnerOf(null);
  const runner = await runnerOf(await new ServiceManager(scope).show(unit, runnerProperties));
  // The user of a unit with DynamicUser= is there while it runs.
  const isUnknown = runner.ids !== null && runner.ids.uid < 0 && unitUser !== null;
  return isUnknown ? { ...runner, ids: { uid: unitUser, groups: [] } } : runner;
}
