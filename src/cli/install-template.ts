import type { Scope } from '../manager/scope.js';
import type { ServiceManager } from '../manager/service-manager.js';
import { unitName, unitNames } from '../manager/unit-name.js';
import { systemctlFor } from './operate-find.js';

/** The instance of the package's template that has the same name, and with it the same directories. */
export interface TemplateInstance {
  readonly unit: string;
  readonly enabled: string;
  readonly active: string;
}

/** Asks the manager; null: the instance without a name has none. Throws a ServiceManagerError, or a ProgramError. */
export async function findTemplateInstance(
  manager: ServiceManager,
  instance: string | null,
): Promise<TemplateInstance | null> {
  const unit = unitNames(instance).find((name) => name !== unitName(instance));
  if (unit === undefined) return null;
  const { ActiveState: active = 'inactive' } = await manager.show(unit, ['ActiveState']);
  return { unit, enabled: await manager.isEnabled(unit), active };
}

/** Why it is in the way of the instance's own unit, and of a removal of the data; null: it isn't in use. */
export function templateObjection(template: TemplateInstance | null, scope: Scope): string | null {
  if (template === null) return null;
  const { unit, enabled, active } = template;
  const isEnabled = /^enabled(-runtime)?$/.test(enabled);
  if (!isEnabled && active === 'inactive') return null;
  // What has failed is down already, and stays failed over a stop.
  const verb = active === 'failed' && !isEnabled ? 'reset-failed' : 'disable --now';
  return `${unit} is ${active === 'inactive' ? enabled : active}, and has the same directories; "${systemctlFor(`${verb} ${unit}`, scope)}" ends that`;
}
