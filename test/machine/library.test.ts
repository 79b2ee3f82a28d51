import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packLibrary } from '../support/library-package.js';
import type { Machine } from './harness/machine.js';
import { describeOnMachine } from './harness/suite.js';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
/** The checkout, as a machine has it. */
const records = '/usr/lib/sd-gateway/test/library/pino-records.mjs';
const pino = fileURLToPath(new URL('../library/node_modules/pino', import.meta.url));
const everythingMustRun = process.env['CI'] === 'true';
const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-library-'));

beforeAll(() => {
  packLibrary(folder);
  execFileSync('tar', ['-cf', join(folder, 'modules.tar'), '-C', folder, 'node_modules']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An example as its page says: the program in /srv/example, with nothing but the package beside it, and its unit. */
class Example {
  readonly #machine: Machine;
  readonly #name: string;

  constructor(machine: Machine, name: string) {
    this.#machine = machine;
    this.#name = name;
  }

  async install(program: string, ...units: readonly string[]): Promise<void> {
    const modules = execFileSync('base64', [join(folder, 'modules.tar')], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    await this.#machine.check(
      [
        'sh',
        '-c',
        'mkdir -p /srv/example && base64 -d | tar -x -C /srv/example && { [ -e /usr/bin/node ] || ln -s "$(command -v node)" /usr/bin/node; }',
      ],
      { input: modules },
    );
    await this.#machine.writeFile(`/srv/example/${program}`, readFileSync(join(examples, program), 'utf8'));
    for (const unit of units) {
      const text = readFileSync(join(examples, unit), 'utf8');
      await this.#machine.writeFile(`/etc/systemd/system/${unit}`, text);
    }
    const faster = '[Service]\nWatchdogSec=3\n';
    await this.#machine.writeFile(`/etc/systemd/system/${this.#name}.service.d/test.conf`, faster);
  }

  async systemctl(verb: string): Promise<void> {
    await this.#machine.check(['systemctl', verb, this.#name]);
  }

  async property(name: string): Promise<string> {
    return (
      await this.#machine.check(['systemctl', 'show', '--value', `--property=${name}`, this.#name])
    ).trim();
  }

  /** Waits, without asking anything of the service itself. */
  async until(name: string, value: string): Promise<void> {
    for (const began = performance.now(); (await this.property(name)) !== value; ) {
      if (performance.now() - began > 30_000) {
        const last = await this.property(name);
        throw new Error(`${name} is ${last}, not ${value}: ${(await this.messages()).join('\n')}`);
      }
    }
  }

  async messages(): Promise<readonly string[]> {
    return (await this.#machine.journal(`--unit=${this.#name}`)).map((record) => record['MESSAGE'] ?? '');
  }
}

/** A client that asks again and again until the file is there, and fails if it is refused once. */
function underLoad(url: string, file: string): readonly string[] {
  const ask = `until [ -e ${file} ]; do curl --silent --fail ${url} || exit 1; done`;
  return ['bash', '-c', `set -o pipefail; (${ask}) | sort | uniq -c`];
}

describeOnMachine('the examples of the library', (machine) => {
  it('a plain http server starts, reports, reloads, keeps its socket, is watched, and stops with 0', async () => {
    const http = new Example(machine(), 'http');
    await http.install('http.mjs', 'http.service');
    const ask = async () =>
      (await machine().check(['curl', '--silent', '--fail', 'http://localhost:8080/'])).trim();
    await http.systemctl('start');
    expect(await http.property('StatusText')).toBe('Serving');
    expect(await ask()).toBe('hello');
    await http.systemctl('reload');
    expect(await ask()).toBe('hello again');

    // No connection is refused while the service restarts: the manager has the socket.
    const load = machine().check(underLoad('http://localhost:8080/', '/tmp/enough'));
    await http.systemctl('restart');
    await http.systemctl('restart');
    await machine().check(['touch', '/tmp/enough']);
    expect(await load).toMatch(/hello/);

    // A kill by somebody else is a failure, which names them.
    const pid = await http.property('MainPID');
    await machine().check(['sh', '-c', `kill ${pid}; tail --pid=${pid} -f /dev/null`]);
    await http.until('NRestarts', '1');
    await http.until('ActiveState', 'active');
    expect((await http.messages()).join('\n')).toMatch(
      /Stopping: foreign kill: SIGTERM by sh \(PID \d+, UID 0\)/,
    );

    await machine().check(['kill', '-STOP', await http.property('MainPID')]);
    await http.until('NRestarts', '2');
    await http.until('ActiveState', 'active');
    expect((await http.messages()).join('\n')).toMatch(/Watchdog timeout/);

    await http.systemctl('stop');
    expect([await http.property('Result'), await http.property('ExecMainStatus')]).toEqual(['success', '0']);
  });

  it('a server behind a socket unit is started by a connection, and writes records with fields', async () => {
    const socket = new Example(machine(), 'socket');
    await socket.install('socket.cjs', 'socket.socket', 'socket.service');
    await machine().check(['systemctl', 'start', 'socket.socket']);
    expect(await socket.property('ActiveState')).toBe('inactive');
    const answer = await machine().check(['curl', '--silent', '--fail', 'http://localhost:8081/']);
    expect(answer).toBe('by socket\n');
    await socket.until('StatusText', '1 answered');
    const [record] = await machine().journal('EXAMPLE_ANSWERED=1');
    expect(record).toMatchObject({
      MESSAGE: 'answered:\none more',
      PRIORITY: '5',
      SYSLOG_IDENTIFIER: 'socket.cjs',
    });

    const load = machine().check(underLoad('http://localhost:8081/', '/tmp/enough-for-socket'));
    await socket.systemctl('restart');
    await socket.systemctl('restart');
    await machine().check(['touch', '/tmp/enough-for-socket']);
    expect(await load).toMatch(/by socket/);

    // Its unit says nothing of a restart: the next connection is one.
    const pid = await socket.property('MainPID');
    await machine().check(['sh', '-c', `kill ${pid}; tail --pid=${pid} -f /dev/null`]);
    await socket.until('ActiveState', 'failed');
    expect(await socket.property('ExecMainStatus')).toBe('1');
    await machine().check(['curl', '--silent', '--fail', 'http://localhost:8081/']);
    await socket.until('ActiveState', 'active');
    await machine().check(['systemctl', 'stop', 'socket.socket']);
    await socket.systemctl('stop');
    expect([await socket.property('Result'), await socket.property('ExecMainStatus')]).toEqual([
      'success',
      '0',
    ]);
  });

  it.skipIf(!everythingMustRun && !existsSync(pino))(
    'records of pino have levels, fields, message id, lines and bytes (npm ci --prefix test/library)',
    async () => {
      const run = ['systemd-run', '--wait', '--quiet', '--unit=pino', '/usr/bin/env', 'node', records];
      await machine().check(run);
      const all = await machine().journal('_SYSTEMD_UNIT=pino.service', 'SYSLOG_IDENTIFIER=pino-records.mjs');
      const bytes = [0, 10, 255];
      expect(all).toMatchObject([
        { MESSAGE: 'level trace', PRIORITY: '7' },
        { MESSAGE: 'level debug', PRIORITY: '7' },
        { MESSAGE: 'level info', PRIORITY: '6' },
        { MESSAGE: 'level warn', PRIORITY: '4' },
        { MESSAGE: 'level error', PRIORITY: '3' },
        { MESSAGE: 'level fatal', PRIORITY: '2' },
        { MESSAGE: 'with fields', REQUEST_ID: '7', MESSAGE_ID: '0123456789abcdef0123456789abcdef' },
        { MESSAGE: 'several\nlines', PART: 'child' },
        { MESSAGE: 'broken', PRIORITY: '3', ERROR_STACK: expect.stringMatching(/^Error: broken\n {4}at /) },
        { MESSAGE: 'bytes', PAYLOAD: bytes },
        { MESSAGE: 'by label', PRIORITY: '3' },
        { MESSAGE: 'a plain call', PRIORITY: '5', PAYLOAD: bytes, SEVERAL: ['one', 'two\nlines'] },
      ]);
    },
  );
});
