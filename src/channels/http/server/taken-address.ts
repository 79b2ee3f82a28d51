import { readFileSync } from 'node:fs';
import { serviceAndManagerOf } from '../../../systemd/evidence.js';
import { isManager, type PortHolder } from './port-holder.js';

/** The user who stands for all that a user namespace has no name for (user_namespaces(7), overflowuid). */
function nobodyHere(): number {
  try {
    return Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'));
  } catch {
    // Hidden (`ProcSubset=pid`).
    return 65_534;
  }
}

/**
 * Says who listens at an address, and what to do about it. Names the process that uses the socket, by its unit where it
 * has one: the manager only keeps it.
 *
 * @param holders those that this user may see
 * @param users of the sockets there
 */
export function describeTaken(
  holders: readonly PortHolder[],
  users: readonly number[],
  unitOf: typeof serviceAndManagerOf = serviceAndManagerOf,
): string {
  const [who, how] = holderAndMend(holders, users, unitOf);
  return `${who} listens there. Set http.listen to another address, or ${how}.`;
}

function holderAndMend(
  holders: readonly PortHolder[],
  users: readonly number[],
  unitOf: typeof serviceAndManagerOf,
): readonly [who: string, how: string] {
  const holder = holders.find((each) => !isManager(each));
  if (holder !== undefined) {
    const { unit, manager } = unitOf(holder.pid);
    if (unit === null) return [`${holder.name} (PID ${holder.pid})`, 'stop that process'];
    const systemctl = manager === 'user' ? 'systemctl --user' : 'systemctl';
    return [`${unit} (PID ${holder.pid})`, `stop that unit: ${systemctl} stop ${unit}`];
  }
  if (holders.length > 0) {
    return [
      'systemd, for a unit whose process is not there or can’t be seen,',
      'stop that unit: "systemctl list-sockets" and "sd-gateway status --instance NAME" help to find it',
    ];
  }
  const user = users.find((uid) => uid !== nobodyHere());
  return user === undefined ? ['another process', 'stop it'] : [`a process of user ${user}`, 'stop it'];
}
