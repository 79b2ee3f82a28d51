import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import type { NotMeasured } from './benchmark.js';
import { newerNode, program } from './places.js';
import { Daemon, freePort, temporaryDirectory } from './processes.js';

/** Kinds of server that server.mjs and write-fsync-server.mjs can be. */
export type PeerKind = 'none' | 'sqlite' | 'write-fsync' | 'pg-boss' | 'graphile-worker' | 'bullmq';

/** Run by this Node; the others need a newer one. */
const plain: readonly PeerKind[] = ['none', 'sqlite', 'write-fsync'];

export interface Database {
  /** Resolves to the argument for server.mjs: a URL, a port or a directory. */
  connect(): Promise<string>;
  close(): Promise<void>;
}

/** PostgreSQL with its defaults: fsync and synchronous_commit are on. A new database for each connection asked for. */
export async function startPostgres(): Promise<Database | NotMeasured> {
  const versions = '/usr/lib/postgresql';
  const version = existsSync(versions) ? readdirSync(versions).sort().at(-1) : undefined;
  if (version === undefined) return { name: 'PostgreSQL', why: 'PostgreSQL is not installed here' };
  const bin = `${versions}/${version}/bin`;
  const { path, remove } = temporaryDirectory();
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  chownSync(path, id('-u'), id('-g'));
  const as = (argv: readonly string[]): readonly string[] => ['-u', 'postgres', '--', ...argv];
  const port = await freePort();
  execFileSync('runuser', as([`${bin}/initdb`, '-D', `${path}/data`, '--auth=trust', '--no-instructions']), {
    stdio: 'ignore',
    cwd: '/',
  });
  const server = new Daemon([
    'setpriv',
    `--reuid=${id('-u')}`,
    `--regid=${id('-g')}`,
    '--clear-groups',
    `${bin}/postgres`,
    ...['-D', `${path}/data`, '-k', path, '-p', String(port), '-c', 'max_connections=300'],
  ]);
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const sql = (text: string): string =>
    execFileSync('psql', ['--no-psqlrc', '-qtAc', text, url('postgres')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  await server.until('PostgreSQL', () => Promise.resolve(answers(() => sql('SELECT 1'))));
  const settings = sql("SELECT current_setting('fsync') || current_setting('synchronous_commit')");
  if (settings !== 'onon') throw new Error(`PostgreSQL does not write durably: ${settings}`);
  let databases = 0;
  return {
    connect() {
      const name = `bench${++databases}`;
      sql(`CREATE DATABASE ${name}`);
      return Promise.resolve(url(name));
    },
    async close() {
      await server.stop('SIGINT');
      remove();
    },
  };
}

/** Redis that appends each write to its log and syncs it before it answers. */
export async function startRedis(): Promise<Database | NotMeasured> {
  if (!existsSync('/usr/bin/redis-server')) return { name: 'Redis', why: 'Redis is not installed here' };
  const { path, remove } = temporaryDirectory();
  chmodSync(path, 0o755);
  mkdirSync(`${path}/data`);
  const port = await freePort();
  const server = new Daemon([
    '/usr/bin/redis-server',
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', `${path}/data`, '--save', ''],
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'],
  ]);
  const client = (...words: readonly string[]): string =>
    execFileSync('redis-cli', ['-p', String(port), ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  await server.until('Redis', () => Promise.resolve(answers(() => client('PING'))));
  return {
    connect() {
      client('FLUSHALL');
      return Promise.resolve(String(port));
    },
    async close() {
      await server.stop();
      remove();
    },
  };
}

function answers(ask: () => string): boolean {
  try {
    return ask() !== '';
  } catch {
    // It does not listen yet.
    return false;
  }
}

export interface PeerServer {
  readonly port: number;
  /** Rows in its store, bytes in its file. */
  count(): Promise<number>;
  stop(): Promise<void>;
}

export async function startPeer(kind: PeerKind, connection: string, work: boolean): Promise<PeerServer> {
  const node = plain.includes(kind) ? process.execPath : newerNode;
  const port = await freePort();
  const file = kind === 'write-fsync' ? 'write-fsync-server' : 'server';
  const words = [program(file), kind, String(port), connection, work ? 'work' : 'post'];
  const daemon = new Daemon([node, ...words]);
  await daemon.until('readiness', () => Promise.resolve(daemon.said.includes('ready\n')));
  return {
    port,
    async count() {
      const answer = await fetch(`http://127.0.0.1:${port}/count`);
      return ((await answer.json()) as { readonly count: number }).count;
    },
    stop: () => daemon.stop('SIGKILL'),
  };
}

/** The databases that run here, for the peers that need them. */
export interface Databases {
  readonly postgres: Database | null;
  readonly redis: Database | null;
  readonly notMeasured: readonly NotMeasured[];
  close(): Promise<void>;
}

const needing = {
  PostgreSQL: ['pg-boss', 'graphile-worker'],
  Redis: ['BullMQ (appendfsync always)'],
} as const;

export async function startDatabases(): Promise<Databases> {
  const started = [await startPostgres(), await startRedis()] as const;
  const running = started.map((each) => ('why' in each ? null : each));
  return {
    postgres: running[0] ?? null,
    redis: running[1] ?? null,
    notMeasured: started.flatMap((each) =>
      'why' in each
        ? needing[each.name as keyof typeof needing].map((name) => ({ name, why: each.why }))
        : [],
    ),
    async close() {
      for (const each of running) await each?.close();
    },
  };
}
