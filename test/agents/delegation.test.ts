import { expect, test } from 'vitest';
import { delegationDropIn, whyNotDelegated, withMemoryMax } from '../../src/agents/delegation.js';
import { configurationSchema } from '../../src/config/schema.js';

const delegating = {
  Delegate: 'yes',
  DelegateControllers: 'memory pids',
  ProtectControlGroups: 'no',
  OOMPolicy: 'continue',
};

test.each<[properties: Record<string, string>, reason: string | null]>([
  [{}, null],
  [{ DelegateControllers: 'cpu cpuset io memory pids' }, null],
  [{ Delegate: 'no', DelegateControllers: '' }, 'the unit has no Delegate=memory'],
  [{ DelegateControllers: 'pids' }, 'its Delegate= has pids, and not memory'],
  [{ DelegateControllers: '' }, 'its Delegate= has no controllers, and not memory'],
  [{ ProtectControlGroups: 'yes' }, 'the unit has ProtectControlGroups=yes'],
  [{ OOMPolicy: 'stop' }, 'the unit has OOMPolicy=stop'],
])('of a unit with %o', (properties, reason) => {
  expect(whyNotDelegated({ ...delegating, ...properties })).toBe(reason);
});

test('a unit with the drop-in delegates', () => {
  const lines = delegationDropIn.split('\n').filter((line) => line.includes('='));
  const shown = Object.fromEntries(lines.map((line) => line.split('=') as [string, string]));
  const { Delegate = '', ...others } = shown;
  expect(whyNotDelegated({ ...others, Delegate: 'yes', DelegateControllers: Delegate })).toBe(null);
});

test('the agents that have memory_max', () => {
  const { agents } = configurationSchema.parse({
    agents: {
      large: { command: ['/bin/true'], memory_max: '512M' },
      any: { command: ['/bin/true'] },
      echo: { type: 'echo' },
      acp: { type: 'acp', command: ['/bin/true'], memory_max: 2 ** 30 },
    },
  });
  expect(withMemoryMax(agents)).toEqual(['large', 'acp']);
});
