import { ProgramError } from './program.js';
import { ServiceManager, ServiceManagerError } from './service-manager.js';

/** A journald that takes no record. */
export interface StoppedJournald {
  /** One sentence without its full stop. */
  readonly reason: string;
  /** A command for root. */
  readonly command: string;
}

const service = 'systemd-journald.service';

/**
 * Asks the system's manager whether journald runs, which takes the records of user units as well; null: it does, or that
 * can't be told. A namespace's own journald comes and goes with its records, so it is not asked about.
 */
export async function stoppedJournald(namespace: string | null | undefined): Promise<StoppedJournald | null> {
  if (namespace != null) return null;
  const manager = new ServiceManager('system');
  const stateOf = (unit: string) => manager.show(unit, ['LoadState', 'ActiveState']);
  try {
    const { LoadState, ActiveState } = await stateOf(service);
    const isThere = LoadState === 'loaded' || LoadState === 'masked';
    if (!isThere || (ActiveState !== 'inactive' && ActiveState !== 'failed')) return null;
    // The next record starts it.
    const socket = LoadState === 'loaded' ? await stateOf('systemd-journald.socket') : null;
    if (socket?.['ActiveState'] === 'active') return null;
    const unmask = LoadState === 'masked' ? `systemctl unmask ${service} && ` : '';
    return {
      reason: `journald does not run (${service} is ${LoadState === 'masked' ? 'masked' : ActiveState}): no record is kept of what happens now`,
      command: `${unmask}systemctl start ${service}`,
    };
  } catch (error) {
    if (error instanceof ServiceManagerError || error instanceof ProgramError) return null;
    throw error;
  }
}

/** The sentence with its command. */
export function describeStopped({ reason, command }: StoppedJournald): string {
  return `${reason}. Start it: ${process.getuid?.() === 0 ? '' : 'sudo '}${command}`;
}
