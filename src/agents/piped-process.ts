import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { pipe } from '../linux/process.js';

/** The soft limit of descriptors that systemd gives a unit by default (systemd-system.conf(5), DefaultLimitNOFILE=). */
export const openFilesLimit = 1_024;

/** A child process whose standard streams are pipes, of which these are the gateway's ends. */
export interface PipedProcess {
  readonly child: ChildProcess;
  readonly stdin: Socket;
  readonly stdout: Socket;
  /** The same as `stdout` if there is one output. */
  readonly stderr: Socket;
}

/**
 * Spawns a process with pipes as its standard streams. Node.js would give it sockets, which can't be opened by the names
 * /dev/stdin and /dev/stderr (open(2), ENXIO). A child without a `pid` emits `error`, as `spawn` has it; nothing is left open.
 *
 * @param oneOutput true if standard error and standard output are one pipe
 * @throws SystemCallError, or the error of `spawn`
 */
export function spawnPiped(
  file: string,
  words: readonly string[],
  options: Omit<SpawnOptions, 'stdio'>,
  oneOutput = false,
): PipedProcess {
  const descriptors = new Set<number>();
  const streams: Socket[] = [];
  const open = (ours: 'read' | 'write') => {
    const ends = pipe();
    descriptors.add(ends.read).add(ends.write);
    const fd = ends[ours];
    const stream = new Socket({ fd, readable: ours === 'read', writable: ours === 'write' });
    // It closes the descriptor from now on.
    descriptors.delete(fd);
    streams.push(stream);
    return { stream, theirs: ours === 'read' ? ends.write : ends.read };
  };
  let child: ChildProcess | undefined;
  try {
    const [stdin, stdout] = [open('write'), open('read')];
    const stderr = oneOutput ? stdout : open('read');
    child = spawn(file, words, { ...options, stdio: [stdin.theirs, stdout.theirs, stderr.theirs] });
    return { child, stdin: stdin.stream, stdout: stdout.stream, stderr: stderr.stream };
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
    if (child?.pid === undefined) for (const stream of streams) stream.destroy();
  }
}
