import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Place } from '../foreground.js';

it('names the settings that wait for a restart, and so does the status until then', async () => {
  const place = new Place();
  onTestFinished(() => place.remove());
  const directory = join(place.directory, 'etc');
  mkdirSync(directory);
  const configure = (text: string) => writeFileSync(join(directory, 'sd-gateway.toml'), text);
  configure('[store]\nkeep = "7d"\n');
  await place.start();

  configure('[store]\nkeep = "9d"\n[http]\nbody_limit = "2M"\n[stop]\ndrain = "5s"\n');
  const reload = await place.run(['reload']);
  expect(reload.status).toBe(0);
  expect(reload.stderr).toContain('wait for a restart: http.body_limit, store.keep\n');
  expect(reload.stderr).toContain('sd-gateway restart');
  expect((await place.run(['status'])).stdout).toMatch(
    /Reload: .*wait for a restart: http\.body_limit, store\.keep\n/,
  );

  configure('[store]\nkeep = "7d"\n');
  expect((await place.run(['reload'])).stderr).not.toContain('wait for a restart');
  expect((await place.run(['status'])).stdout).not.toContain('wait for a restart');
});

it('leaves a record of who asked for it, and warns once of what others could use against the gateway', async () => {
  const place = new Place();
  onTestFinished(() => place.remove());
  const directory = join(place.directory, 'etc');
  mkdirSync(directory);
  const file = join(directory, 'sd-gateway.toml');
  const environmentFile = join(directory, 'sd-gateway.env');
  writeFileSync(file, '');
  writeFileSync(environmentFile, '');
  const gateway = await place.start();
  writeFileSync(file, '[delivery]\nallow = ["0.0.0.0/0"]\n');
  chmodSync(environmentFile, 0o666);
  for (const _ of [1, 2]) expect((await place.run(['reload'])).status).toBe(0);
  gateway.child.kill();
  const records = (await gateway.end).stderr.split('\n');
  const about = (text: string) => records.filter((record) => record.includes(text));
  expect(about('Reload asked for through the control socket by node (PID ')).toHaveLength(2);
  expect(about('delivery.allow has')).toHaveLength(1);
  expect(about(`${environmentFile} can be changed by other users`)).toHaveLength(1);
});
