import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { agentThatWaitsFor } from './harness/agent.js';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

const stored = ['FileDescriptorStoreMax=8', 'RuntimeDirectoryPreserve=restart'];

/** Counts the descriptors that systemd keeps for the unit. */
async function storeSize(gateway: GatewayUnit): Promise<number> {
  return Number((await gateway.show('NFileDescriptorStore'))['NFileDescriptorStore']);
}

/** Has the gateway listen elsewhere from its next start on. */
async function listenOn(machine: Machine, gateway: GatewayUnit, address: string): Promise<void> {
  await machine.writeFile(gateway.configurationFile, `[http]\nlisten = "${address}"\n`);
}

/** The gateway's address comes from its configuration file. */
async function installWithFile(machine: Machine, name: string, address: string): Promise<GatewayUnit> {
  const gateway = await GatewayUnit.install(machine, {
    name,
    service: [...stored, 'UnsetEnvironment=SD_GATEWAY_HTTP_LISTEN'],
  });
  await listenOn(machine, gateway, address);
  return gateway;
}

const probe = (address: string) => ['curl', '--silent', '--max-time', '20', `http://${address}/healthz`];

describeOnMachine('sockets kept over a restart', (machine) => {
  it.concurrent('idle connections go on, and the store holds no copy of them afterwards', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'idle', service: stored });
    await gateway.succeed('start');
    expect(await storeSize(gateway)).toBe(1);
    const script = `import socket, subprocess, sys
def connect():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect("${gateway.socket}")
    return connection
def ask(connection):
    connection.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    return connection.recv(4096).split(b"\\r\\n")[0].decode()
asked, silent = connect(), connect()
print(ask(asked))
for round in range(3):
    subprocess.run(["systemctl", "restart", "idle.service"], check=True)
    print(ask(asked))
print(ask(silent))
`;
    const answers = await machine().check(['python3', '-c', script]);
    expect(answers.trim().split('\n')).toEqual(Array(5).fill('HTTP/1.1 200 OK'));
    await gateway.waitFor({ NFileDescriptorStore: '1' });
    await gateway.succeed('stop');
    expect(await storeSize(gateway)).toBe(0);
    expect((await gateway.result()).Result).toBe('success');
  });

  it.concurrent('who follows a session over restarts and a crash sees each message once, in order', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'followed',
      service: [...stored, 'Restart=always'],
    });
    await gateway.succeed('start');
    const rounds = 4;
    const perRound = 5;
    const follower = machine().check(
      [
        ...['node', '/usr/lib/sd-gateway/test/machine/load/follower.mjs', gateway.socket],
        ...[`${gateway.stateDirectory}/token`, 'a', String(rounds * perRound)],
      ],
      { timeout: 60_000 },
    );
    for (let round = 0; round < rounds; round++) {
      const posts = (async () => {
        for (let left = perRound; left > 0; left--) {
          expect((await gateway.post('a', { text: 'x' })).status).toBe(202);
        }
      })();
      if (round % 2 === 0) await gateway.succeed('restart');
      await posts;
      // With its posts answered: one that is cut off by a crash may be accepted or not.
      if (round % 2 === 1) await gateway.succeed('kill', '--signal=KILL');
    }
    const { seen, connections } = JSON.parse(await follower) as {
      readonly seen: readonly number[];
      readonly connections: number;
    };
    expect(seen).toEqual(Array.from({ length: rounds * perRound }, (_, index) => index + 1));
    expect(connections).toBeGreaterThan(1);
    await gateway.succeed('stop');
  });

  it.concurrent('a plain stop closes them: nobody waits for an answer that never comes', async () => {
    const gateway = await installWithFile(machine(), 'plain', '127.0.0.1:9101');
    await gateway.succeed('start');
    const script = `import socket, subprocess
connection = socket.create_connection(("127.0.0.1", 9101))
connection.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
connection.recv(4096)
subprocess.run(["systemctl", "stop", "plain.service"], check=True)
print(connection.recv(4096))
`;
    expect(await machine().check(['python3', '-c', script])).toBe("b''\n");
    // 7: connection refused.
    expect((await machine().run(probe('127.0.0.1:9101'))).status).toBe(7);
  });

  it.concurrent('after a crash a client waits for the next start', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'crashed',
      service: [...stored, 'Restart=always', 'RestartSec=1'],
    });
    await gateway.succeed('start');
    await gateway.kill('KILL');
    const { status, body } = await gateway.post('chat', { text: 'posted meanwhile' });
    expect(status).toBe(202);
    expect(await gateway.reply(String(body['id']))).toBe('posted meanwhile');
    expect((await gateway.result()).NRestarts).toBe('1');
    await gateway.succeed('stop');
  });

  it.concurrent('another address is taken up at a restart, and the old one given up', async () => {
    const gateway = await installWithFile(machine(), 'moved', '127.0.0.1:9102');
    await gateway.succeed('start');
    // The same port: the kept socket must be gone before it can be bound.
    for (const address of ['0.0.0.0:9102', '127.0.0.1:9103', '127.0.0.1:9102']) {
      await listenOn(machine(), gateway, address);
      await gateway.succeed('restart');
      expect((await machine().run(probe(address))).status).toBe(0);
      expect(await storeSize(gateway)).toBe(1);
    }
    expect((await machine().run(probe('127.0.0.1:9103'))).status).toBe(7);
    await gateway.succeed('stop');
  });

  it.concurrent('a Unix socket’s path leads to the gateway at every time of a restart', async () => {
    const gateway = await GatewayUnit.install(machine(), { name: 'path', service: stored });
    await gateway.succeed('start');
    const inode = await machine().check(['stat', '--format=%i %a', gateway.socket]);
    await gateway.succeed('restart');
    expect(await machine().check(['stat', '--format=%i %a', gateway.socket])).toBe(inode);
    // Without the path it is bound afresh.
    await machine().check(['rm', gateway.socket]);
    await gateway.succeed('restart');
    expect((await gateway.http('GET', '/healthz')).status).toBe(200);
    expect(await storeSize(gateway)).toBe(1);
    await gateway.succeed('stop');
  });

  it.concurrent('who waits for a reply gets it from the next start', async () => {
    const gateway = await GatewayUnit.install(machine(), {
      name: 'waiting',
      service: stored,
      environment: { ...agentThatWaitsFor('/tmp/waiting-go'), SD_GATEWAY_STOP_DRAIN: '100ms' },
    });
    await gateway.succeed('start');
    const token = (await machine().check(['cat', `${gateway.stateDirectory}/token`])).trim();
    const send = machine().check(['sd-gateway', 'send', '--url', `unix:${gateway.socket}`, 'wait for me'], {
      environment: { SD_GATEWAY_TOKEN: token },
    });
    await gateway.waitForStatus('1 running');
    await gateway.succeed('restart');
    await machine().check(['touch', '/tmp/waiting-go']);
    expect(await send).toBe('done\n');
    await gateway.succeed('stop');
  });

  it.concurrent('clients wait for an upgrade that migrates the store, and none fails', async () => {
    const schema = readFileSync(new URL('../store/fixtures/schema-1.sql', import.meta.url), 'utf8');
    const older = `import os, sqlite3
if os.path.exists("/var/lib/upgrade/upgrade.sql"):
    for name in ("gateway.db", "gateway.db-wal", "gateway.db-shm", "gateway.db-seal"):
        path = "/var/lib/upgrade/" + name
        if os.path.exists(path): os.remove(path)
    database = sqlite3.connect("/var/lib/upgrade/gateway.db")
    database.executescript(open("/var/lib/upgrade/upgrade.sql").read())
    database.execute("PRAGMA application_id = APPLICATION")
    database.execute("PRAGMA user_version = 1")
    database.close()
    os.rename("/var/lib/upgrade/upgrade.sql", "/var/lib/upgrade/upgrade.done")
`;
    const { applicationId } = await import('../../src/store/sqlite/file/schema.js');
    await machine().writeFile('/tmp/older.py', older.replace('APPLICATION', String(applicationId)));
    const gateway = await GatewayUnit.install(machine(), {
      name: 'upgrade',
      // Between the stop and the start: as if the last version had written this database.
      service: [...stored, 'ExecStartPre=/usr/bin/python3 /tmp/older.py'],
    });
    await gateway.succeed('start');
    await machine().writeFile('/var/lib/upgrade/upgrade.sql', schema);
    const restart = gateway.succeed('restart');
    const posts: Promise<{ readonly status: number }>[] = [];
    let restarting = true;
    void restart.finally(() => {
      restarting = false;
    });
    while (restarting) {
      const post = gateway.post('upgraded', { text: 'while it migrates' });
      posts.push(post);
      await Promise.race([restart, post]);
    }
    await restart;
    const statuses = (await Promise.all(posts)).map(({ status }) => status);
    expect(statuses).toEqual(Array(statuses.length).fill(202));
    expect(statuses.length).toBeGreaterThan(0);
    const version = await machine().check([
      'python3',
      '-c',
      'import sqlite3; print(sqlite3.connect("/var/lib/upgrade/gateway.db").execute("PRAGMA user_version").fetchone()[0])',
    ]);
    expect(Number(version)).toBeGreaterThan(1);
    expect(await machine().check(['ls', '/var/lib/upgrade/upgrade.done'])).toContain('upgrade.done');
    await gateway.succeed('stop');
  });
});
