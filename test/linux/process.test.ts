import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { afterEach, describe, expect, it, test } from 'vitest';
import {
  hasOnlyZombies,
  openFiles,
  parentPid,
  parseControlGroup,
  parseOpenFilesLimit,
  parseResidentMemory,
  peerCredentials,
  ResidentMemory,
  readAncestry,
  variableIn,
} from '../../src/linux/process.js';
import { near } from '../fuzz/near.js';

const module = new URL('../../dist/linux/process.js', import.meta.url).href;

it('ends the process with its status, after the listeners of "exit", whatever its threads are at', () => {
  const script = `
    import { Worker } from 'node:worker_threads';
    import { exitAtOnce } from ${JSON.stringify(module)};
    process.on('exit', (status) => process.stdout.write('exit ' + status));
    // A thread that no termination of JavaScript gets out of its call.
    const worker = new Worker('require("node:child_process").execFileSync("sleep", ["60"])', { eval: true });
    worker.on('online', () => exitAtOnce(75));
  `;
  const { status, stdout, stderr, signal } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', script],
    { encoding: 'utf8', timeout: 15_000 },
  );
  expect({ status, stdout, stderr, signal }).toEqual({
    status: 75,
    stdout: 'exit 75',
    stderr: '',
    signal: null,
  });
});

/** The descriptor of a connection; Node has no public name for it. */
function descriptor(socket: Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

it('names the process at the other end of a Unix socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-peer-'));
  const path = join(folder, 'socket');
  const server = createServer().listen(path);
  await once(server, 'listening');
  const program = `require('node:net').connect(${JSON.stringify(path)})`;
  const client = spawn(process.execPath, ['--eval', program]);
  const [socket] = (await once(server, 'connection')) as [Socket];
  expect(peerCredentials(descriptor(socket))).toEqual({
    pid: client.pid,
    uid: process.getuid?.(),
    gid: process.getgid?.(),
  });
  client.kill();
  server.close();
  rmSync(folder, { recursive: true });
});

it('says what is no socket', () => {
  expect(() => peerCredentials(openSync('/dev/null', 'r'))).toThrow(/descriptor \d+: .*ENOTSOCK/);
});

it('tells the parent', () => {
  expect(parentPid()).toBe(process.ppid);
});

const groups: number[] = [];
afterEach(() => {
  for (const group of groups.splice(0)) process.kill(-group, 'SIGKILL');
});

/** Tells its process id, and stays. */
const waits = `sh -c 'echo $$; sleep 60; exit'`;

/** Starts a shell in a session of its own, of which another process tells its id. */
async function started(script: string) {
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    env: { PATH: process.env['PATH'], MARK: 'turn_1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.pid === undefined) throw new Error('There is no shell.');
  groups.push(child.pid);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { shell: child.pid, pid: Number(line), child };
}

describe('the ancestry of a process', () => {
  const controlGroup = parseControlGroup(readFileSync('/proc/self/cgroup', 'utf8'));

  it('goes from it upwards, with groups, sessions and marks', async () => {
    const { shell, pid } = await started(`${waits}; exit`);
    const ancestry = await readAncestry(pid, 'MARK');
    const own = { processGroup: shell, processSession: shell, mark: 'turn_1', controlGroup };
    expect(ancestry.slice(0, 2)).toEqual([
      { pid, ...own },
      { pid: shell, ...own },
    ]);
    expect(ancestry[2]).toMatchObject({ pid: process.pid, mark: null });
  });

  it('keeps session and mark of one whose parent has ended', async () => {
    const { shell, pid, child } = await started(`${waits} &`);
    if (child.exitCode === null) await once(child, 'exit');
    const [orphan, parent] = await readAncestry(pid, 'MARK');
    const processGroup = shell;
    expect(orphan).toEqual({ pid, processGroup, processSession: shell, mark: 'turn_1', controlGroup });
    expect(parent?.pid).not.toBe(shell);
  });

  it('is read up to a bound', async () => {
    const nested = 'if test "$0" = 0; then echo $$; sleep 60; else sh -c "$nested" $(($0 - 1)); fi; exit';
    const { shell, pid } = await started(`nested='${nested}'; export nested; sh -c "$nested" 70; exit`);
    const ancestry = await readAncestry(pid, 'MARK');
    expect(ancestry.length).toBe(64);
    expect(new Set(ancestry.map(({ processSession }) => processSession))).toEqual(new Set([shell]));
  });

  it.each([0, -1, 4_194_304])('of process %i, which is not there, is empty', async (pid) => {
    expect(await readAncestry(pid, 'MARK')).toEqual([]);
  });
});

describe('a variable in /proc/PID/environ', () => {
  it.each([
    ['A=1\0MARK=turn_1\0B=2\0', 'turn_1'],
    ['MARK=a=b', 'a=b'],
    ['MARK=first\0MARK=second\0', 'first'],
    ['MARK=\0', ''],
    ['A=MARK=x\0NOMARK=y\0MARKED=z\0MARK\0', null],
    ['', null],
  ])('%j: %j', (text, value) => {
    expect(variableIn(text, 'MARK')).toBe(value);
  });

  it('is read from any text', () => {
    fc.assert(fc.property(near('A=1\0MARK=turn_1\0'), (text) => void variableIn(text, 'MARK')));
  });
});

it('tells a group of zombies from one in which something runs', async () => {
  const group = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
  const id = group.pid ?? 0;
  expect(hasOnlyZombies(id)).toBe(false);
  expect(hasOnlyZombies(4_194_305)).toBe(false);
  // Ended at once, and reaped no sooner than the event loop turns.
  process.kill(id, 'SIGKILL');
  const deadline = performance.now() + 5_000;
  while (!hasOnlyZombies(id) && performance.now() < deadline);
  expect(hasOnlyZombies(id)).toBe(true);
  await once(group, 'exit');
  expect(hasOnlyZombies(id)).toBe(false);
});

const limits = (
  soft: string,
) => `Limit                     Soft Limit           Hard Limit           Units     
Max processes             unlimited            unlimited            processes 
Max open files            ${soft.padEnd(20)} 524288               files     
`;

test.each([
  [limits('1024'), 1_024],
  [limits('unlimited'), Number.POSITIVE_INFINITY],
  ['', null],
])('the limit of open files is the soft one, of %#', (text, limit) => {
  expect(parseOpenFilesLimit(text)).toBe(limit);
});

test('the descriptors of this process are counted', () => {
  const { open, limit } = openFiles();
  const more = openSync('/dev/null', 'r');
  expect(openFiles()).toEqual({ limit, open: (open ?? 0) + 1 });
  closeSync(more);
  expect(openFiles()).toEqual({ limit, open });
});

test('the memory in use is read without a further descriptor, and follows what is taken', () => {
  expect(parseResidentMemory('Name:\tnode\nVmRSS:\t   81234 kB\nRssAnon:\t1 kB\n')).toBe(81_234 * 1_024);
  expect(parseResidentMemory('Name:\tkthreadd\n')).toBeNull();
  const memory = ResidentMemory.open();
  const before = memory?.bytes() ?? 0;
  const { open } = openFiles();
  const taken = Buffer.alloc(64 * 1_024 ** 2, 1);
  expect(memory?.bytes()).toBeGreaterThan(before + taken.length / 2);
  expect(openFiles().open).toBe(open);
});
