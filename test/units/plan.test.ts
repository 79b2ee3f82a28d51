import { expect, it } from 'vitest';
import { storeDirectoryOutside } from '../../src/units/plan.js';

const system = {
  scope: 'system',
  instance: null,
  home: '/root',
  environment: {},
  systemdVersion: 252,
} as const;
const user = { ...system, scope: 'user', home: '/home/nora' } as const;

it.each([
  [system, null, null],
  [system, '/var/lib/sd-gateway/gateway.db', null],
  [system, '/var/lib/sd-gateway/data/gateway.db', null],
  [system, '/var/lib/sd-gateway-2/gateway.db', '/var/lib/sd-gateway-2'],
  [{ ...system, instance: '2' }, '/var/lib/sd-gateway-2/gateway.db', null],
  [system, '/srv/gateway.db', '/srv'],
  [user, '/home/nora/.local/state/sd-gateway/gateway.db', null],
  // Where a user manager before systemd 254 has the state.
  [user, '/home/nora/.config/sd-gateway/gateway.db', null],
  [user, '/home/nora/gateway.db', '/home/nora'],
] as const)('%j with store.path = %s needs %s', (target, path, directory) => {
  expect(storeDirectoryOutside(target, { store: { type: 'sqlite', path, busy_timeout: 0, keep: 0 } })).toBe(
    directory,
  );
});
