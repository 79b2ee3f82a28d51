import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RouteRule } from '../../src/config/route-table.js';
import { SessionActions } from '../../src/gateway/session-actions.js';
import type { Store } from '../../src/store/store.js';
import { acceptOne, claimOne } from '../store/samples.js';
import { RecordingLog } from './delivery/recording-log.js';
import { openStore } from './dispatch/fixture.js';

let opened: Awaited<ReturnType<typeof openStore>>;
let store: Store;
beforeEach(async () => {
  opened = await openStore();
  store = opened.store;
});
afterEach(() => opened.dispose());

function actions(routes: readonly RouteRule[]): SessionActions {
  return new SessionActions({
    store,
    log: new RecordingLog(),
    cancelSession: async () => undefined,
    agentDirectory: '/nonexistent',
    agents: () => ['default', 'fast', 'coder'],
    routes: () => routes,
    onEnd: () => undefined,
  });
}

/** A session with an answered message of ada's, whose agent somebody has chosen. */
async function chosen(agent: string): Promise<void> {
  await acceptOne(store, 'a', { sender: 'ada', acceptedAt: Date.now() });
  await store.completeTurn(await claimOne(store), { text: 'x', metadata: {} });
  await store.setAgent('a', agent);
}

test.each<[agent: string, routes: readonly RouteRule[]]>([
  [
    'fast',
    [
      { agent: 'coder', sender: 'bob' },
      { agent: 'fast', channel: 'http', sender: 'ada' },
    ],
  ],
  ['default', [{ agent: 'coder', prefix: 'b' }]],
])('a reset has the routes choose the agent anew: %s', async (agent, routes) => {
  await chosen('coder');
  const { generation, agent: now } = (await actions(routes).resetSession('a')) ?? {};
  expect([generation, now]).toEqual([2, agent]);
  expect((await store.session('a'))?.agent).toBe(agent);
});

test('a session that had no answer since the last reset keeps its agent', async () => {
  await chosen('coder');
  await actions([]).resetSession('a');
  await store.setAgent('a', 'coder');
  expect(await actions([]).resetSession('a')).toMatchObject({ generation: 3, agent: 'coder' });
  expect(await actions([]).resetSession('unknown')).toBeNull();
});
