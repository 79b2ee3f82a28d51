import { mkdirSync, writeFileSync } from 'node:fs';
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
