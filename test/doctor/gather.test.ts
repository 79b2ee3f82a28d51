import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { gather } from '../../src/doctor/gather.js';

it('looks who holds the port at the address of the configuration', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-doctor-'));
  const server = createServer().listen(0, '127.0.0.2');
  onTestFinished(() => {
    vi.unstubAllEnvs();
    server.close();
    rmSync(directory, { recursive: true });
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const places = ['XDG_CONFIG_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME', 'XDG_RUNTIME_DIR'];
  for (const name of places) vi.stubEnv(name, directory);
  const holdersAt = async (host: string) => {
    const configuration = join(directory, 'config.toml');
    writeFileSync(configuration, `[http]\nlisten = "${host}:${port}"\n`);
    const facts = await gather({ scope: 'user', instance: null, configuration });
    return facts.port?.known === true ? facts.port.value.holders.map(({ pid }) => pid) : null;
  };
  expect(await holdersAt('127.0.0.2')).toContain(process.pid);
  // Another process may have the same port at that address.
  expect(await holdersAt('127.0.0.1')).not.toContain(process.pid);
});
