import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { loadConfiguration } from '../../src/config/load.js';
import { storeTable } from '../../src/config/store-table.js';
import { gatherAccess, gatherData } from '../../src/doctor/facts/files.js';
import { known, type UnitFacts } from '../../src/doctor/facts.js';
import { gather, missingStoreDirectory } from '../../src/doctor/gather.js';
import { offlineStore } from '../../src/store/create-store.js';

it('tells a store that is gone from one that was never there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-doctor-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const store = offlineStore(storeTable.parse({}), directory);
  const look = async () =>
    (await gatherData({ state: directory, runtime: directory, store: known(store) })).store;
  expect(await look()).toEqual(known(null));
  writeFileSync(join(directory, 'gateway.db-seal'), 'closed');
  expect(await look()).toMatchObject({
    value: {
      lost: expect.stringMatching(/gateway\.db is gone, but \S+gateway\.db-seal is there: put it back/),
    },
  });
  rmSync(join(directory, 'gateway.db-seal'));
  symlinkSync(join(directory, 'not-mounted', 'gateway.db'), join(directory, 'gateway.db'));
  expect(await look()).toMatchObject({
    value: { lost: expect.stringContaining('a symbolic link to a file') },
  });
});

it('looks at the disk where the state directory will be', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-doctor-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const store = known(offlineStore(storeTable.parse({}), directory));
  const { disk } = await gatherData({ state: join(directory, 'a/b'), runtime: directory, store });
  expect(disk).toMatchObject({ known: true, value: { path: directory } });
});

it('finds a program that the unit’s sandbox hides, whatever its mode is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-doctor-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const program = join(directory, 'agent.sh');
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
  const environment = {
    SD_GATEWAY_AGENT_COMMAND: JSON.stringify([program]),
    SD_GATEWAY_AGENT_TYPE: 'command',
  };
  const loaded = loadConfiguration({ file: null, required: false, environment });
  const look = async (PrivateTmp: string) => {
    const unit = { properties: { PrivateTmp } } as unknown as UnitFacts;
    const place = { file: join(directory, 'none.toml'), path: '/usr/bin', state: directory };
    const access = await gatherAccess({ ...place, unit, isSystem: true, loaded, environment });
    return access.known ? access.value.agents[0]?.program : access;
  };
  expect(await look('yes')).toEqual({ name: program, path: program, denied: null, hidden: 'PrivateTmp=yes' });
  expect(await look('no')).toEqual({ name: program, path: program, denied: null });
});

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

it('finds a store whose directory is not there and can’t be made by the unit', () => {
  const found = (path: string, ProtectSystem: string | null) =>
    missingStoreDirectory(
      { store: storeTable.parse({ path }) },
      ProtectSystem === null ? null : { properties: { ProtectSystem } },
      '/var/lib/sd-gateway',
    );
  expect(found('/nope/x.db', 'strict')).toEqual([
    'store.path: the directory /nope is not there, and the unit may not make it: make it, and give it to the gateway’s user',
  ]);
  expect(found('/tmp/x.db', 'strict')).toEqual([]);
  expect(found('/var/lib/sd-gateway/new/x.db', 'strict')).toEqual([]);
  // There the start makes it.
  for (const sandbox of ['no', null]) expect(found('/nope/x.db', sandbox)).toEqual([]);
});
