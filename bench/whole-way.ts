import { writeFileSync } from 'node:fs';
import type { Benchmark, Contender, Figures } from './frame/benchmark.js';
import { startGateway } from './frame/gateway.js';
import { program } from './frame/places.js';
import { runForJson } from './frame/processes.js';
import { type Database, type PeerKind, startDatabases, startPeer } from './frame/servers.js';

/** The one that programs/server.mjs signs with. */
const secret = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';

async function measureAt(
  port: number,
  token: string,
  count: number,
  warmUp: number,
  key: string,
): Promise<Figures> {
  const words = (messages: number): readonly string[] => [
    process.execPath,
    program('whole-way'),
    ...[String(port), token, '64', String(messages), key],
  ];
  await runForJson(words(warmUp));
  return runForJson<{ readonly rate: number; readonly p99: number }>(words(count));
}

/** As many at a time as its peers run, and post to this machine. */
const sixtyFour = {
  SD_GATEWAY_DISPATCH_CONCURRENCY: '64',
  SD_GATEWAY_DELIVERY_CONCURRENCY: '64',
  SD_GATEWAY_DELIVERY_HOST_CONCURRENCY: '64',
  SD_GATEWAY_DELIVERY_ALLOW: '["127.0.0.0/8"]',
};

async function measureGateway(count: number, warmUp: number): Promise<Figures> {
  const gateway = await startGateway(sixtyFour, [], (directory) =>
    writeFileSync(`${directory}/webhook-secret`, `${secret}\n`, { mode: 0o600 }),
  );
  try {
    return await measureAt(gateway.port, gateway.token, count, warmUp, secret);
  } finally {
    await gateway.stop();
  }
}

async function measurePeer(
  kind: PeerKind,
  connection: string,
  count: number,
  warmUp: number,
): Promise<Figures> {
  const peer = await startPeer(kind, connection, true);
  try {
    return await measureAt(peer.port, 'none', count, warmUp, secret);
  } finally {
    await peer.stop();
  }
}

export const wholeWay: Benchmark = {
  name: 'whole-way',
  group: 'messages',
  title: 'Post → echo → signed webhook, 64 at a time',
  figures: [
    { name: 'rate', unit: 'messages/s', better: 'higher' },
    { name: 'p99', unit: 'ms', better: 'lower' },
  ],
  targets: ['graphile-worker', 'pg-boss', 'BullMQ (appendfsync always)'].flatMap((against) => [
    { figure: 'rate', against, atLeast: 1 },
    { figure: 'p99', against, atMost: 1 },
  ]),
  async open({ smoke }) {
    const databases = await startDatabases();
    const peer = (name: string, kind: PeerKind, full: number, database: Database | null): Contender[] =>
      database === null
        ? []
        : [
            {
              name,
              measure: async () =>
                measurePeer(kind, await database.connect(), smoke ? 100 : full, smoke ? 64 : 500),
            },
          ];
    return {
      contenders: [
        { name: 'sd-gateway', measure: () => measureGateway(smoke ? 100 : 6_000, smoke ? 64 : 2_000) },
        ...peer('graphile-worker', 'graphile-worker', 2_000, databases.postgres),
        ...peer('pg-boss', 'pg-boss', 2_000, databases.postgres),
        ...peer('BullMQ (appendfsync always)', 'bullmq', 4_000, databases.redis),
      ],
      notMeasured: databases.notMeasured,
      close: () => databases.close(),
    };
  },
};
