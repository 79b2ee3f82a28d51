import type { Machine } from './machine.js';

const shipped = '/usr/lib/sd-gateway/systemd/sysusers.d/sd-gateway.conf';

/** Makes the user of the shipped system unit, or that of an instance of the template; not over a dynamic one. */
export async function makeShippedUser(machine: Machine, instance: string | null = null): Promise<void> {
  const declaration = instance === null ? [shipped] : ['--inline', `u sd-gateway-${instance} -`];
  await machine.check(['env', 'SYSTEMD_NSS_DYNAMIC_BYPASS=1', 'systemd-sysusers', ...declaration]);
}
