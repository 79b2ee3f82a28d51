import { expect, test } from 'vitest';
import { KeptHealth } from '../../src/channels/kept-health.js';

test('the time of the last proof is told, whatever the state is, and is no change of the health', () => {
  let now = 1_000;
  let changes = 0;
  const log = { notice: () => undefined };
  const clock = { now: () => now, after: () => () => undefined };
  const health = new KeptHealth({
    name: 'irc',
    clock,
    log,
    healthChanged: () => {
      changes += 1;
    },
  } as unknown as ConstructorParameters<typeof KeptHealth>[0]);
  expect(health.now).toEqual({ state: 'starting', since: 1_000, reason: null });
  health.proven();
  health.enter('up');
  now = 2_000;
  health.proven();
  expect(health.now).toEqual({ state: 'up', since: 1_000, reason: null, provenAt: 2_000 });
  health.enter('down', 'away');
  expect(health.now).toEqual({ state: 'down', since: 2_000, reason: 'away', provenAt: 2_000 });
  expect(changes).toBe(2);
});
