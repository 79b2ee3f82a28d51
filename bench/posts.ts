import { mkdirSync, readFileSync } from 'node:fs';
import Database from '../test/support/sqlite.mjs';
import type { Benchmark, Contender, Figures } from './frame/benchmark.js';
import { startGateway } from './frame/gateway.js';
import { nativeProgram } from './frame/places.js';
import { runForJson, temporaryDirectory } from './frame/processes.js';
import { type PeerKind, type Database as Server, startDatabases, startPeer } from './frame/servers.js';

interface ClientsReport {
  readonly accepted: number;
  readonly nanoseconds: number;
  readonly p50: number;
  readonly p99: number;
}

function clients(port: number, token: string, concurrency: number, count: number): Promise<ClientsReport> {
  return runForJson([nativeProgram('clients'), String(port), token, String(concurrency), String(count)]);
}

function expectRows(name: string, rows: number, accepted: number): void {
  if (rows !== accepted)
    throw new Error(`${name}: ${accepted} posts were answered 202, ${rows} are in its store`);
}

/** Messages in the store, read while the gateway runs. */
function messagesIn(directory: string): number {
  const database = new Database(`${directory}/gateway.db`, { readonly: true });
  try {
    return Number(database.prepare('SELECT count(*) FROM messages').pluck().get());
  } finally {
    database.close();
  }
}

async function measureGateway(count: number, warmUp: number): Promise<Figures> {
  const gateway = await startGateway();
  try {
    await clients(gateway.port, gateway.token, 64, warmUp);
    const report = await clients(gateway.port, gateway.token, 64, count);
    expectRows('sd-gateway', messagesIn(gateway.directory), warmUp + report.accepted);
    return { rate: (report.accepted * 1e9) / report.nanoseconds };
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
  const peer = await startPeer(kind, connection, false);
  try {
    await clients(peer.port, 'none', 64, warmUp);
    const report = await clients(peer.port, 'none', 64, count);
    if (kind !== 'none') expectRows(kind, await peer.count(), warmUp + report.accepted);
    return { rate: (report.accepted * 1e9) / report.nanoseconds };
  } finally {
    await peer.stop();
  }
}

export const posts: Benchmark = {
  name: 'posts',
  group: 'messages',
  title: 'Durable posts, 64 clients',
  figures: [{ name: 'rate', unit: 'posts/s', better: 'higher' }],
  targets: [
    { figure: 'rate', against: 'fastify, SQLite, a transaction a post', atLeast: 5 },
    { figure: 'rate', against: 'fastify, no store (limit)', atLeast: 0.5 },
    { figure: 'rate', against: 'pg-boss', atLeast: 1 },
    { figure: 'rate', against: 'graphile-worker', atLeast: 1 },
    { figure: 'rate', against: 'BullMQ (appendfsync always)', atLeast: 1 },
  ],
  async open({ smoke }) {
    const databases = await startDatabases();
    const { path, remove } = temporaryDirectory();
    const warmUp = smoke ? 64 : 4_000;
    let directories = 0;
    const peer = (name: string, kind: PeerKind, full: number, server: Server | null): Contender[] =>
      server === null
        ? []
        : [
            {
              name,
              measure: async () =>
                measurePeer(kind, await server.connect(), smoke ? 200 : full, Math.min(warmUp, full / 4)),
            },
          ];
    const files: Server = {
      connect() {
        const directory = `${path}/${++directories}`;
        mkdirSync(directory);
        return Promise.resolve(directory);
      },
      close: () => Promise.resolve(),
    };
    return {
      contenders: [
        { name: 'sd-gateway', measure: () => measureGateway(smoke ? 200 : 20_000, warmUp) },
        ...peer('fastify, SQLite, a transaction a post', 'sqlite', 2_000, files),
        ...peer('fastify, no store (limit)', 'none', 40_000, files),
        ...peer('pg-boss', 'pg-boss', 4_000, databases.postgres),
        ...peer('graphile-worker', 'graphile-worker', 4_000, databases.postgres),
        ...peer('BullMQ (appendfsync always)', 'bullmq', 8_000, databases.redis),
      ],
      notMeasured: databases.notMeasured,
      async close() {
        await databases.close();
        remove();
      },
    };
  },
};

/** Rejects unless each of a lone client’s posts had an fsync of its own. */
async function countSyncs(): Promise<void> {
  const { path, remove } = temporaryDirectory();
  const trace = `${path}/trace`;
  // The tracer in the background, so that the gateway itself gets the signals.
  const strace = ['strace', '--daemonize', '--follow-forks', '--trace=fsync,fdatasync', '--output', trace];
  const count = 50;
  const gateway = await startGateway({}, strace);
  const syncs = (): number => readFileSync(trace, 'utf8').match(/f(data)?sync\(/g)?.length ?? 0;
  try {
    const before = syncs();
    await clients(gateway.port, gateway.token, 1, count);
    const made = syncs() - before;
    if (made < count)
      throw new Error(`${count} posts one after the other were answered 202 with ${made} fsyncs`);
  } finally {
    await gateway.stop();
    remove();
  }
}

async function measureLonePeer(kind: PeerKind, connection: string, count: number): Promise<Figures> {
  const peer = await startPeer(kind, connection, false);
  try {
    await clients(peer.port, 'none', 1, count / 2);
    const { p50, p99 } = await clients(peer.port, 'none', 1, count);
    const kept = kind === 'none' ? 0 : await peer.count();
    if (kind === 'sqlite') expectRows(kind, kept, count * 1.5);
    if (kind === 'write-fsync' && kept < smallestBody * count * 1.5) {
      throw new Error(`${kind}: ${count * 1.5} posts left ${kept} bytes`);
    }
    return { p50, p99 };
  } finally {
    await peer.stop();
  }
}

/** Bytes that are written for one post: its request’s body. */
const postSize = 64;
/** `{"text":"Message 0 of the benchmark, of some length"}`. */
const smallestBody = 53;

export const loneClient: Benchmark = {
  name: 'lone-client',
  group: 'messages',
  title: 'A lone client’s post',
  figures: [
    { name: 'p50', unit: 'µs', better: 'lower' },
    { name: 'p99', unit: 'µs', better: 'lower' },
  ],
  targets: [{ figure: 'p50', against: 'C: write and fsync', atMost: 1.5 }],
  async open({ smoke }) {
    await countSyncs();
    const count = smoke ? 50 : 1_000;
    const { path, remove } = temporaryDirectory();
    let directories = 0;
    return {
      contenders: [
        {
          name: 'sd-gateway',
          async measure() {
            const gateway = await startGateway();
            try {
              await clients(gateway.port, gateway.token, 1, count / 2);
              const { p50, p99 } = await clients(gateway.port, gateway.token, 1, count);
              return { p50, p99 };
            } finally {
              await gateway.stop();
            }
          },
        },
        {
          // The way of a request there and back, without anything that is durable.
          name: 'fastify, no store',
          measure: () => measureLonePeer('none', path, count),
        },
        {
          name: 'fastify, SQLite, a transaction a post',
          async measure() {
            const directory = `${path}/${++directories}`;
            mkdirSync(directory);
            return measureLonePeer('sqlite', directory, count);
          },
        },
        {
          // The least that any server in Node.js can do for it.
          name: 'node:http, write and fsync',
          measure: () => measureLonePeer('write-fsync', `${path}/posts`, count),
        },
        {
          name: 'C: write and fsync',
          async measure() {
            const file = `${path}/file`;
            const report = await runForJson<ClientsReport>([
              nativeProgram('write-fsync'),
              file,
              String(postSize),
              String(count),
            ]);
            const size = readFileSync(file).length;
            if (size !== postSize * count) throw new Error(`${size} bytes were written`);
            return { p50: report.p50, p99: report.p99 };
          },
        },
      ],
      close() {
        remove();
        return Promise.resolve();
      },
    };
  },
};
