import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Place } from '../foreground.js';

let place: Place;
beforeAll(async () => {
  place = new Place();
  mkdirSync(join(place.directory, 'etc'), { recursive: true });
  const script = 'read -r text; [ "$text" = fail ] && exit 3; echo "you said $text"';
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[dispatch]\nmax_attempts = 1\n[agent]\ninput = "text"\ncommand = ["/bin/sh", "-c", ${JSON.stringify(script)}]\n`,
  );
  await place.start();
});
afterAll(() => {
  place.remove();
});

it('sends each line of a pipe, and prints the replies alone', async () => {
  const { status, stdout, stderr } = await place.run(['chat', '--session', 's'], {}, 'hello\n\nand again');
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: 'you said hello\nyou said and again\n',
    stderr: '',
  });
});

it('goes on after a message that is dead, and tells of it', async () => {
  const { status, stdout, stderr } = await place.run(['chat', '--session', 's'], {}, 'fail\nnext\n');
  expect(stdout).toBe('you said next\n');
  expect(stderr).toContain('sd-gateway: the message is dead: the command exited with status 3');
  expect(status).toBe(1);
});
