import type { AgentConfiguration } from '../config/agent-table.js';

/**
 * Directives that a unit needs for `memory_max` (systemd.resource-control(5), systemd.exec(5), systemd.service(5)): its control
 * group is the gateway's own and can be written to, and a process that the kernel kills there doesn't stop the unit.
 */
const directives: readonly (readonly [name: string, value: string])[] = [
  ['Delegate', 'memory pids'],
  ['ProtectControlGroups', 'no'],
  ['OOMPolicy', 'continue'],
];

/** A drop-in with them. */
export const delegationDropIn = `[Service]\n${directives.map((words) => `${words.join('=')}\n`).join('')}`;

/** The advice in one line. */
export const delegationAdvice = `put ${directives.map((words) => `"${words.join('=')}"`).join(', ')} into [Service] of a drop-in of the unit (systemctl edit), and restart it`;

/** Properties of a unit that say if it delegates memory. */
export const delegationProperties = [
  'Delegate',
  'DelegateControllers',
  ...directives.slice(1).map(([name]) => name),
];

/**
 * The reason why agents of a unit can't be given a limit of memory; null if they can.
 *
 * @param properties as `systemctl show` has them
 */
export function whyNotDelegated(properties: Readonly<Record<string, string>>): string | null {
  if (properties['Delegate'] !== 'yes') return 'the unit has no Delegate=memory';
  const controllers = (properties['DelegateControllers'] ?? '').split(' ');
  if (!controllers.includes('memory'))
    return `its Delegate= has ${controllers.join(' ') || 'no controllers'}, and not memory`;
  const wrong = directives.slice(1).find(([name, value]) => (properties[name] ?? value) !== value);
  return wrong === undefined ? null : `the unit has ${wrong[0]}=${properties[wrong[0]]}`;
}

/** The names of the agents that have `memory_max`. */
export function withMemoryMax(agents: Readonly<Record<string, AgentConfiguration>>): readonly string[] {
  return Object.entries(agents)
    .filter(([, agent]) => 'memory_max' in agent && agent.memory_max !== null)
    .map(([name]) => name);
}
