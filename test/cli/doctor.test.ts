import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../src/doctor/finding.js';
import { openSqlite } from '../../src/store/sqlite/file/open-sqlite.js';
import { Gateway, Place, program } from './foreground.js';

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

it.runIf(process.getuid?.() === 0)('tells of a gateway in a network namespace of its own', async () => {
  const place = new Place();
  onTestFinished(() => place.remove());
  const child = spawn('unshare', ['--net', process.execPath, program, 'run'], {
    env: { ...place.environment, SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:47' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Gateway(child).says('Ready after');
  const environment = { SD_GATEWAY_HTTP_LISTEN: '127.0.0.1:47' };
  const { stdout } = await place.run(['doctor', '--json'], environment);
  expect((JSON.parse(stdout) as DoctorInJson).findings).toContainEqual(
    expect.objectContaining({
      check: 'port',
      verdict: 'problem',
      text: expect.stringContaining('127.0.0.1:47 in a network namespace of its own'),
    }),
  );
  const { stdout: status } = await place.run(['status'], environment);
  expect(status.replaceAll(/\s+/g, ' ')).toContain('in a network namespace of its own (PrivateNetwork=)');
});
