import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { GatewayClient } from '../../../src/cli/client/http.js';
import { Place } from '../foreground.js';

let place: Place;
beforeAll(async () => {
  place = new Place();
  mkdirSync(join(place.directory, 'etc'), { recursive: true });
  const program = join(place.directory, 'agent');
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o600 });
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[agent]\ncommand = ["${program}"]\n[agents.other]\ncommand = ["/bin/cat"]\ninput = "text"\n`,
  );
  await place.start();
});
afterAll(() => {
  place.remove();
});

it('is why a message waits: `send`, `show` and /readyz say so, the last with a token alone', async () => {
  const sent = await place.run(['send', '--session', 'a', '--wait', '2s', 'hello']);
  expect(sent.status).toBe(75);
  const held = /waits, as the agent "default" can’t be started: .*EACCES/;
  expect(sent.stderr).toMatch(held);
  const [, id = ''] = /message (\S+) waits/.exec(sent.stderr) ?? [];
  const shown = await place.run(['show', id]);
  expect(shown.stdout).toMatch(/Waits for: the agent "default" can’t be started: .*EACCES/);
  const { body } = await place.client.get('/readyz');
  expect(body).toMatchObject({
    facts: { agents: expect.arrayContaining([expect.objectContaining({ name: 'default', state: 'held' })]) },
  });
  expect(JSON.stringify(body)).toContain('EACCES');
  const stranger = new GatewayClient(`unix:${place.directory}/http.sock`, 'b'.repeat(43));
  const hidden = (await stranger.get('/readyz')).body;
  expect(JSON.stringify(hidden)).not.toContain('EACCES');
  expect(hidden).toMatchObject({
    facts: {
      agents: expect.arrayContaining([expect.objectContaining({ reason: 'send the token to read it' })]),
    },
  });
});

it('is no reason for the messages of another one', async () => {
  await place.client.put('/v1/sessions/b/agent', { agent: 'other' });
  expect((await place.run(['send', '--session', 'b', 'hello'])).stdout).toBe('hello\n');
});
