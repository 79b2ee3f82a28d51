import { expect, it } from 'vitest';
import { describeTaken } from '../../../../src/channels/http/server/taken-address.js';

const systemd = { pid: 1, name: 'systemd' };
const ofUser = { pid: 900, name: 'systemd' };
const gateway = { pid: 1960, name: 'node' };
const none = { unit: null, manager: null };
const ofSystem = { unit: 'sd-gateway.service', manager: 'system' } as const;
const ofManager = { unit: 'sd-gateway.service', manager: 'user' } as const;
const another = 'Set http.listen to another address, or';

it.each([
  // systemd keeps the socket of a unit over its restarts, and so has it as well.
  [[systemd, gateway], ofSystem, 'sd-gateway.service (PID 1960)', 'systemctl stop sd-gateway.service.'],
  [
    [ofUser, gateway],
    ofManager,
    'sd-gateway.service (PID 1960)',
    'systemctl --user stop sd-gateway.service.',
  ],
  [[gateway], none, 'node (PID 1960)', 'stop that process.'],
])('of %j with the unit %j, names the one that uses the socket', (holders, unit, who, how) => {
  const text = describeTaken(holders, [0], () => unit);
  expect(text).toContain(`${who} listens there. ${another} `);
  expect(text).toContain(how);
});

it('names no process of systemd as the one to stop', () => {
  const text = describeTaken([systemd], [0]);
  expect(text).toMatch(/^systemd, for a unit .* listens there/);
  expect(text).not.toMatch(/PID|stop it/);
});

it.each([
  [[995], 'a process of user 995'],
  // In a unit with PrivateUsers= nearly everybody has this number.
  [[65_534], 'another process'],
  [[65_534, 995], 'a process of user 995'],
  [[], 'another process'],
])('of unseen processes of the users %j, names the user if it is known', (users, who) => {
  expect(describeTaken([], users)).toBe(`${who} listens there. ${another} stop it.`);
});
