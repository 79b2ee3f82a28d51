import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../src/doctor/finding.js';
import { openSqlite } from '../../src/store/sqlite/file/open-sqlite.js';
import { Place } from './foreground.js';

interface DoctorInJson {
  readonly version: number;
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

it('works beside a gateway in the foreground, and says when nobody would be answered', async () => {
  const place = new Place();
  onTestFinished(() => place.remove());
  const examine = async (): Promise<DoctorInJson> =>
    JSON.parse((await place.run(['doctor', '--json'])).stdout) as DoctorInJson;
  const gateway = await place.start();

  const sound = await examine();
  expect(sound.findings.filter(({ verdict }) => verdict === 'problem')).toEqual([]);
  expect(sound).toMatchObject({ version: 1, healthy: true, running: true });
  expect((await place.run(['doctor'])).stdout).toMatch(/\nHealthy: /);

  const directory = join(place.directory, 'etc');
  mkdirSync(directory);
  writeFileSync(
    join(directory, 'sd-gateway.toml'),
    '[agent]\ntype = "command"\ncommand = ["no-such-agent"]\n',
  );
  const problem = {
    check: 'agent',
    verdict: 'problem',
    text: expect.stringContaining('no-such-agent is not there'),
  };
  expect((await examine()).findings).toContainEqual(expect.objectContaining(problem));

  await place.run(['stop']);
  await gateway.end;
  const path = join(place.directory, 'state/gateway.db');
  const database = openSqlite(path);
  database.pragma('user_version = 99');
  database.close();
  expect((await examine()).findings).toContainEqual({
    group: 'data',
    check: 'store',
    verdict: 'problem',
    text: expect.stringMatching(/^The database .* run the newer sd-gateway that wrote it/),
    mend: null,
  });
  rmSync(path);
  rmSync(`${path}-seal`);
  writeFileSync(join(directory, 'sd-gateway.toml'), '');
  expect((await place.run(['doctor'])).stdout).toContain('the gateway is not running: ');
  const stopped = await place.run(['doctor', '--json']);
  expect(JSON.parse(stopped.stdout)).toMatchObject({ healthy: false, running: false });
  expect(stopped.status).toBe(0);
});
