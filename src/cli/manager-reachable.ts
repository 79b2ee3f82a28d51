import { ProgramError } from '../manager/program.js';
import type { Scope } from '../manager/scope.js';
import { ServiceManager, ServiceManagerError } from '../manager/service-manager.js';
import { booted } from '../systemd/booted.js';

/** Why the service manager of the scope can’t be asked, and what to do; null: it can. */
export async function whyNoManager(scope: Scope): Promise<string | null> {
  if (process.platform !== 'linux') {
    return `units are for systemd, which ${process.platform} doesn’t have; "sd-gateway run" runs the gateway in the foreground`;
  }
  if (!booted()) {
    return 'this machine was not booted with systemd; "sd-gateway run" runs the gateway in the foreground, for another supervisor or by hand';
  }
  try {
    await new ServiceManager(scope).showManager(['Version']);
    return null;
  } catch (error) {
    if (!(error instanceof ServiceManagerError) && !(error instanceof ProgramError)) throw error;
    const hint =
      scope === 'user'
        ? `your own service manager does not answer: log in as this user ("machinectl shell USER@", ssh), not by su or sudo; or have an administrator run "loginctl enable-linger USER"`
        : 'the system’s service manager does not answer';
    return `${hint} (${error.message})`;
  }
}
