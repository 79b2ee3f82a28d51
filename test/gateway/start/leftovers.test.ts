import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Place } from '../../cli/foreground.js';

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const command = (script: string) => ({
  SD_GATEWAY_AGENT_TYPE: 'command',
  SD_GATEWAY_AGENT_COMMAND: JSON.stringify(['/bin/sh', '-c', script]),
});

test('what a crashed gateway’s agent has left is ended before its turn runs again', async () => {
  const file = join(place.directory, 'pid');
  const first = await place.start(command(`setsid sh -c 'echo $$ >${file}; exec sleep 1000' & wait`));
  await place.client.post('/v1/sessions/a/messages', { text: 'hello' }, {});
  await vi.waitFor(() => expect(existsSync(file) && readFileSync(file, 'utf8')).toMatch(/\d\n/), 10_000);
  const pid = readFileSync(file, 'utf8').trim();
  first.child.kill('SIGKILL');
  await first.end;
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  const seen = `if grep -qs "^State:.[^Z]" /proc/${pid}/status; then echo there; else echo gone; fi`;
  const second = await place.start(command(seen));
  await second.says(`Ended processes that agents of an earlier run had left: `);
  expect((await place.run(['send', '--session', 'a', 'again'])).stdout).toBe('gone\n');
});
