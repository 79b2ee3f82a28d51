import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { Place } from '../../cli/foreground.js';

const program = fileURLToPath(new URL('../../../examples/irc.py', import.meta.url));
const ngircd = process.env['NGIRCD'] ?? '/usr/sbin/ngircd';

/** A port of the loopback that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A server of its own in a directory; resolves once it listens. */
async function startServer(file: string): Promise<ChildProcess> {
  const server = spawn(ngircd, ['--nodaemon', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void server.kill('SIGKILL'));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on('data', (text) => {
      said += text;
      if (said.includes('Now listening on')) resolve();
    });
    server.once('exit', () => reject(new Error(`ngircd ended: ${said}`)));
  });
  return server;
}

/** Somebody at a keyboard. */
class Person {
  readonly #socket: Socket;
  #heard = '';
  #waiting: (() => void)[] = [];

  constructor(port: number, nick: string) {
    this.#socket = connect(port, '127.0.0.1').on('error', () => undefined);
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text;
      for (const [, token] of text.matchAll(/^PING (.*)\r$/gm)) this.says(`PONG ${token}`);
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
    this.says(`NICK ${nick}`, `USER ${nick} 0 * :x`);
  }

  says(...lines: readonly string[]): void {
    for (const line of lines) this.#socket.write(`${line}\r\n`);
  }

  async hears(text: string | RegExp): Promise<void> {
    while (this.#heard.match(text) === null) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  leaves(): void {
    this.#socket.destroy();
  }
}

test.skipIf(!existsSync(ngircd))(
  'IRC, with a server that is killed and comes back',
  { timeout: 60_000 },
  async () => {
    const place = new Place();
    onTestFinished(() => place.remove());
    const port = await freePort();
    const server = join(place.directory, 'ngircd.conf');
    // It reads the file as the user that it becomes.
    chmodSync(place.directory, 0o755);
    writeFileSync(
      server,
      `[Global]
Name = irc.example
Info = Test
Listen = 127.0.0.1
Ports = ${port}
ServerUID = nobody
ServerGID = nogroup
MotdPhrase = Hello
[Options]
DNS = no
Ident = no
PAM = no
[Limits]
MaxPenaltyTime = 0
`,
    );
    mkdirSync(join(place.directory, 'etc'));
    const command = ['/usr/bin/python3', program, '127.0.0.1', String(port), 'gateway', '#dev'];
    writeFileSync(
      join(place.directory, 'etc/sd-gateway.toml'),
      `[channels.irc]\ntype = "command"\ncommand = ${JSON.stringify(command)}\nallow = ["ada"]\n`,
    );
    const first = await startServer(server);
    const gateway = await place.start();
    await gateway.says('The program of the channel irc is ready');

    const ada = new Person(port, 'ada');
    await ada.hears(' 001 ');
    ada.says('JOIN #dev');
    await ada.hears(/ 366 .*#dev/);
    ada.says('PRIVMSG #dev :not for it', `PRIVMSG #dev :gateway: ${'long words '.repeat(38)}`);
    await ada.hears(/:gateway!.* PRIVMSG #dev :ada: long words long/);
    ada.says('PRIVMSG gateway :in private');
    await ada.hears(/:gateway!.* PRIVMSG ada :in private/);
    const eve = new Person(port, 'eve');
    await eve.hears(' 001 ');
    eve.says('PRIVMSG gateway :let me in');
    await gateway.says('The person \\"eve\\" asks to write');
    await eve.hears(
      / PRIVMSG eve :You may not write to me yet\. Give this code to the operator: \w{4}-\w{4}/,
    );

    first.kill('SIGKILL');
    await gateway.says(
      'The channel irc is down: the program exited with status 1; standard error ends: 127.0.0.1 closed',
    );
    await startServer(server);
    await gateway.says('The channel irc is up again');
    const again = new Person(port, 'ada');
    await again.hears(' 001 ');
    again.says('PRIVMSG gateway :still there?');
    await again.hears(/:gateway!.* PRIVMSG ada :still there\?/);
    for (const person of [ada, eve, again]) person.leaves();
    gateway.child.kill('SIGTERM');
    const { status } = await gateway.end;
    // Nobody here is a supervisor: an orderly stop is a failure all the same.
    expect(status).toBe(1);
  },
);
