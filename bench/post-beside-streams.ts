import { writeFileSync } from 'node:fs';
import type { Benchmark, Figures } from './frame/benchmark.js';
import { startGateway } from './frame/gateway.js';
import { nativeProgram, program } from './frame/places.js';
import { Daemon, freePort, runForJson } from './frame/processes.js';

const streams = 100;

/** Agents: the echo, and a server of chat completions for the sessions that stream. */
const configuration = (port: number) => `[dispatch]
concurrency = ${2 * streams}
[agents.model]
type = "openai"
base_url = "http://127.0.0.1:${port}/v1"
model = "m"
concurrency = ${streams}
[[route]]
prefix = "stream-"
agent = "model"
`;

/** A lone client's posts; `count` of them, while so many other sessions stream. */
async function measure(sessions: number, count: number): Promise<Figures> {
  const port = await freePort();
  const gateway = await startGateway({}, [], (directory) => {
    writeFileSync(`${directory}/sd-gateway.toml`, configuration(port));
  });
  const posts = (number: number) =>
    runForJson<{ readonly p50: number; readonly p99: number }>([
      nativeProgram('clients'),
      ...[String(gateway.port), gateway.token, '1', String(number)],
    ]);
  try {
    await posts(count / 2);
    const streaming = new Daemon([
      process.execPath,
      program('streams'),
      ...[String(port), String(gateway.port), gateway.token, String(sessions)],
    ]);
    await streaming.until('all streams', () => Promise.resolve(streaming.said.includes('all stream\n')));
    const { p50, p99 } = await posts(count);
    await streaming.stop();
    if (streaming.exitStatus !== 0) throw new Error(`The clients of the streams failed: ${streaming.said}`);
    return { p50, p99 };
  } finally {
    await gateway.stop();
  }
}

export const postBesideStreams: Benchmark = {
  name: 'post-beside-streams',
  group: 'agents',
  title: 'A lone client’s post, while sessions stream 50 deltas a second each',
  figures: [
    { name: 'p50', unit: 'µs', better: 'lower' },
    { name: 'p99', unit: 'µs', better: 'lower' },
  ],
  targets: [{ figure: 'p99', against: 'no session', atMost: 2 }],
  open({ smoke }) {
    const count = smoke ? 50 : 1_000;
    return Promise.resolve({
      contenders: [
        { name: 'sd-gateway, 100 sessions', measure: () => measure(smoke ? 5 : streams, count) },
        { name: 'no session', measure: () => measure(0, count) },
      ],
    });
  },
};
