import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Gateway, Place } from '../../cli/foreground.js';
import { ada, MatrixStandIn } from '../../support/matrix-stand-in.js';

/** Each kills the gateway at a named point. They resolve once that point is reached. */
const points: Readonly<Record<string, (matrix: MatrixStandIn, write: () => void) => Promise<void>>> = {
  'as soon as a message has come': async (_matrix, write) => {
    write();
  },
  'after a message is on disk, before its place is acknowledged': async (matrix, write) => {
    const reached = new Promise<void>((resolve) => {
      matrix.next('GET sync', { kind: 'hang', at: 'before' });
      matrix.on('GET sync', resolve);
    });
    write();
    await reached;
  },
  'after a reply has arrived, before its answer has': async (matrix, write) => {
    matrix.next('PUT send', { kind: 'hang', at: 'after' });
    const before = matrix.sent.length;
    write();
    await matrix.until(() => matrix.sent.length > before);
  },
  'before a reply arrives': async (matrix, write) => {
    matrix.next('PUT send', { kind: 'hang', at: 'before' });
    const reached = new Promise<void>((resolve) => matrix.on('PUT send', resolve));
    write();
    await reached;
  },
  'while messages that were missed are read back': async (matrix, write) => {
    // After each failure fewer messages are asked for at once.
    const cut = { kind: 'cut', at: 'before' } as const;
    matrix.next('GET sync', cut, cut, cut);
    matrix.next('GET messages', { kind: 'hang', at: 'before' });
    const reached = new Promise<void>((resolve) => matrix.on('GET messages', resolve));
    const isCut = new Promise<void>((resolve) => matrix.on('GET sync', resolve));
    write();
    await isCut;
    for (let count = 0; count < 6; count += 1) write();
    await reached;
  },
};

/** `npm run test:all` takes all of them, `npm test` the one whose reply is looked for in the room. */
const taken = Object.values(points).slice(...(process.env['PROPERTY_FACTOR'] === undefined ? [2, 3] : []));

test('nothing is lost, doubled or out of order, wherever the gateway is killed', {
  timeout: 120_000,
}, async () => {
  const matrix = await MatrixStandIn.start();
  const place = new Place();
  onTestFinished(async () => {
    place.remove();
    await matrix.close();
  });
  mkdirSync(join(place.directory, 'etc'));
  const token = join(place.directory, 'token');
  writeFileSync(token, matrix.token, { mode: 0o600 });
  const table = { type: 'matrix', token_file: token, homeserver: matrix.root };
  const lines = Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    `[channels.mx]\n${lines.join('\n')}\nallow = ["${ada}"]\n`,
  );
  let written = 0;
  const write = () => void matrix.says(`hello ${++written}`);
  const answered = () => matrix.until(() => matrix.texts.includes(`hello ${written}`));
  const said: string[] = [];

  let gateway: Gateway = await place.start();
  await matrix.until(() => matrix.isPolled);
  write();
  await answered();
  for (const reach of taken) {
    await matrix.until(() => matrix.isPolled);
    await reach(matrix, write);
    gateway.child.kill('SIGKILL');
    expect((await gateway.end).signal).toBe('SIGKILL');
    said.push(gateway.said);
    write();
    gateway = await place.start();
    write();
    await answered();
  }
  gateway.child.kill('SIGTERM');
  await gateway.end;
  said.push(gateway.said);

  expect(matrix.texts).toEqual(Array.from({ length: written }, (_, index) => `hello ${index + 1}`));
  expect(matrix.mistakes).toEqual([]);
  expect(said.join('')).not.toContain(matrix.token);
});
