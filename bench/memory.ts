import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import Database from '../test/support/sqlite.mjs';
import type { Benchmark } from './frame/benchmark.js';
import { startGateway } from './frame/gateway.js';
import { nativeProgram, program } from './frame/places.js';
import { Daemon, runForJson } from './frame/processes.js';

/** Resident memory (VmRSS of proc_pid_status(5)), MiB. */
function residentMemory(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) / 1024;
}

/** Messages with a reply, read while the gateway runs. */
function replied(directory: string): number {
  const database = new Database(`${directory}/gateway.db`, { readonly: true });
  try {
    return Number(database.prepare('SELECT replied FROM counters').pluck().get());
  } finally {
    database.close();
  }
}

export const memory: Benchmark = {
  name: 'memory',
  group: 'lifecycle',
  title: 'Resident memory, idle, after 10^5 messages',
  figures: [{ name: 'memory', unit: 'MiB', better: 'lower' }],
  targets: [{ figure: 'memory', against: 'node with fastify loaded', atMost: 2 }],
  open({ smoke }) {
    const count = smoke ? 500 : 100_000;
    return Promise.resolve({
      contenders: [
        {
          name: 'sd-gateway',
          async measure() {
            // With the environment that the units have.
            const gateway = await startGateway({ SD_GATEWAY_LOG_LEVEL: 'notice', MALLOC_ARENA_MAX: '2' });
            try {
              await runForJson([
                nativeProgram('clients'),
                String(gateway.port),
                gateway.token,
                '64',
                String(count),
              ]);
              while (replied(gateway.directory) < count) execFileSync('sleep', ['0.1']);
              // The gateway collects its garbage after a whole minute of rest, which may begin in the middle of one.
              execFileSync('sleep', [smoke ? '0' : '150']);
              return { memory: residentMemory(gateway.pid) };
            } finally {
              await gateway.stop();
            }
          },
        },
        {
          name: 'node with fastify loaded',
          async measure() {
            const daemon = new Daemon([process.execPath, program('bare-fastify')]);
            try {
              await daemon.until('readiness', () => Promise.resolve(daemon.said.includes('ready')));
              return { memory: residentMemory(daemon.pid) };
            } finally {
              await daemon.stop('SIGKILL');
            }
          },
        },
      ],
    });
  },
};
