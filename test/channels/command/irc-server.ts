import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { mayMakeNamespaces, type Namespace } from '../../support/namespace.js';

const ngircd = process.env['NGIRCD'] ?? '/usr/sbin/ngircd';
export const hasIrcServer = existsSync(ngircd) && mayMakeNamespaces();

const port = 6_667;

/** ngircd in a network of its own. */
export class IrcServer {
  readonly #namespace: Namespace;
  readonly #file: string;
  #running: ChildProcess | null = null;

  /** @param file for its configuration; it reads it as the user that it becomes */
  constructor(namespace: Namespace, file: string) {
    this.#namespace = namespace;
    this.#file = file;
    writeFileSync(
      file,
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
  }

  /** Resolves once it listens. */
  async start(): Promise<void> {
    this.#running = this.#namespace.spawn([ngircd, '--nodaemon', '--config', this.#file]);
    const ended = once(this.#running, 'exit').then(() => Promise.reject(new Error('ngircd ended')));
    ended.catch(() => undefined);
    await Promise.race([this.#namespace.listening(port), ended]);
  }

  async kill(): Promise<void> {
    const server = this.#running;
    if (server === null) return;
    this.#running = null;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#running?.kill(name);
  }

  /** To be awaited before the first connection. */
  async bridge(): Promise<void> {
    await this.#namespace.bridge(port);
  }

  connect(): Socket {
    return this.#namespace.connect(port);
  }

  /** A port outside that leads to it. */
  portOutside(): Promise<number> {
    return this.#namespace.portTo(port);
  }
}

/** Somebody at a keyboard. */
export class IrcPerson {
  readonly #socket: Socket;
  #heard = '';
  #waiting: (() => void)[] = [];

  constructor(server: IrcServer, nick: string) {
    this.#socket = server.connect().on('error', () => undefined);
    this.#socket.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text;
      for (const [, token] of text.matchAll(/^PING (.*)\r$/gm)) this.says(`PONG ${token}`);
      for (const resolve of this.#waiting.splice(0)) resolve();
    });
    this.says(`NICK ${nick}`, `USER ${nick} 0 * :x`);
  }

  get heard(): string {
    return this.#heard;
  }

  /** Puts what the person heard before in front. */
  remember(heard: string): void {
    this.#heard = heard + this.#heard;
  }

  says(...lines: readonly string[]): void {
    for (const line of lines) this.#socket.write(`${line}\r\n`);
  }

  async hears(text: string | RegExp): Promise<void> {
    while (this.#heard.match(text) === null) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** To be called once. */
  async joins(room: string): Promise<void> {
    await this.hears(' 001 ');
    this.says(`JOIN ${room}`);
    await this.hears(new RegExp(` 366 .*${room}`));
  }

  leaves(): void {
    this.#socket.destroy();
  }
}
