import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { nativeProgram } from './places.js';

export interface BurstReport {
  readonly nanoseconds: number;
  readonly received: number;
  /** The hash of all bytes that came. */
  readonly hash: string;
}

export interface BurstOptions {
  readonly sender: readonly string[];
  /** The receiver’s way to the messages; "stdout": the sender’s standard output. */
  readonly receiver: 'notify' | 'journal' | 'stdout' | 'systemd-cat';
}

/** The sockets’ places while it runs; /run/systemd/journal is private to these namespaces. */
const script = {
  notify: 'exec 6> >(exec >&7 "$R" dgram "$D/notify"); export NOTIFY_SOCKET=$D/notify',
  journal: 'exec 6> >(exec >&7 "$R" dgram /run/systemd/journal/socket)',
  'systemd-cat': 'exec 6> >(exec >&7 "$R" stream /run/systemd/journal/stdout)',
  stdout: 'mkfifo "$D/out"; exec 8<>"$D/out"; exec 6> >(exec 3<&8 >&7 "$R" lines); exec >&8',
};

/**
 * One sender beside one receiver (native/receiver.c), in namespaces of their own: with the queue length that systemd
 * sets, and a place for journald’s sockets. Rejects when the sender fails.
 */
export async function runBursts({ sender, receiver }: BurstOptions): Promise<BurstReport> {
  const directory = mkdtempSync(join(tmpdir(), 'sd-gateway-bench-'));
  const body = [
    'set -e',
    'echo 512 >/proc/sys/net/unix/max_dgram_qlen',
    'mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/journal',
    'mkfifo "$D/answers"; exec 7<>"$D/answers"',
    script[receiver],
    // Until its socket is there; the sender itself takes the answer that says so.
    receiver === 'stdout'
      ? ''
      : `until [ -e ${receiver === 'notify' ? '"$D/notify"' : receiver === 'journal' ? '/run/systemd/journal/socket' : '/run/systemd/journal/stdout'} ]; do sleep 0.005; done`,
    `${receiver === 'systemd-cat' ? 'exec systemd-cat ' : 'exec '}"$@" 4>&6 5<&7 6>&- 7>&-`,
  ].join('\n');
  try {
    const text = await new Promise<string>((resolve, reject) => {
      const child = spawn('unshare', ['--mount', '--net', 'bash', '-c', body, 'bash', ...sender], {
        timeout: 120_000,
        env: { ...process.env, D: directory, R: nativeProgram('receiver') },
        // 9 has the sender’s report where standard output or error is what is measured.
        stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'pipe'],
      });
      const said: string[] = [];
      for (const stream of [child.stdout, child.stderr, (child.stdio as readonly (Readable | null)[])[9]]) {
        stream?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
      }
      child.on('error', reject);
      child.on('close', (status) => {
        if (status === 0) resolve(said.join(''));
        else reject(new Error(`${sender.join(' ')} ended with ${status}: ${said.join('')}`));
      });
    });
    const line = text.split('\n').find((each) => each.startsWith('{"nanoseconds"'));
    if (line === undefined) throw new Error(`${sender.join(' ')} reported nothing: ${text}`);
    return JSON.parse(line) as BurstReport;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
