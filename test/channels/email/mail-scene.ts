import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conversationOf } from '../../../src/channels/email/thread.js';
import { Gateway, Place, program } from '../../cli/foreground.js';
import { ImapDialect } from '../../support/cutting-proxy/imap-dialect.js';
import { CuttingProxy } from '../../support/cutting-proxy/proxy.js';
import { SmtpDialect } from '../../support/cutting-proxy/smtp-dialect.js';
import { handOver } from './mail-client.js';
import { authservId, domain, MailServers, password, ports } from './mail-servers.js';

const person = `ada@${domain}`;
/** Room for the store, with that which it keeps for a full disk. */
const storeMebibytes = 128;

/** Mails that come by IMAP and are marked or moved, those that come by LMTP, and those whose doubtful replies wait for a person. */
export const channelNames = ['seen', 'moved', 'lmtp', 'ask'] as const;
export type ChannelName = (typeof channelNames)[number];

/** A protocol between the gateway and a server, of which each connection leads over a proxy. */
export type Link = 'smtp' | 'imap, seen' | 'imap, moved' | 'lmtp';

export interface StoredMail {
  readonly text: string;
  readonly seq: number;
  readonly state: string;
}

/** The gateway between a Postfix and a Dovecot, with a proxy on each way. */
export class MailScene {
  readonly servers: MailServers;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sd-gateway-mail-'));
  readonly #place = new Place();
  #proxies: Readonly<Record<Link, CuttingProxy>> | null = null;
  #gateway: Gateway | null = null;

  constructor() {
    this.servers = new MailServers(this.#folder);
  }

  get gateway(): Gateway {
    if (this.#gateway === null) throw new Error('The gateway does not run.');
    return this.#gateway;
  }

  proxy(link: Link): CuttingProxy {
    if (this.#proxies === null) throw new Error('The scene has not been opened.');
    return this.#proxies[link];
  }

  /** The file system of the store, in the namespace. */
  get storeDisk(): string {
    return join(this.#folder, 'store');
  }

  async open(): Promise<void> {
    await this.servers.start();
    const { namespace } = this.servers;
    namespace.mount(this.storeDisk, storeMebibytes);
    symlinkSync(namespace.path(this.storeDisk), join(this.#place.directory, 'state'));
    const imap = () =>
      new CuttingProxy(
        () => new ImapDialect(),
        () => namespace.connect(ports.imap),
      );
    const proxies = {
      smtp: new CuttingProxy(
        () => new SmtpDialect(),
        () => namespace.connect(ports.smtp),
      ),
      'imap, seen': imap(),
      'imap, moved': imap(),
      lmtp: new CuttingProxy(
        () => new SmtpDialect(),
        () => connect(this.#socket('gateway-lmtp')),
      ),
    };
    this.#proxies = proxies;
    await proxies.lmtp.listenAt(this.#socket('mail'));
    // As the gateway does with its own: Postfix is its group.
    chmodSync(this.#socket('mail'), 0o660);
    const smtp = `smtp://127.0.0.1:${await proxies.smtp.listen()}`;
    mkdirSync(join(this.#place.directory, 'etc'));
    const secret = join(this.#place.directory, 'etc/password');
    writeFileSync(secret, `${password}\n`, { mode: 0o600 });
    const mailbox = async (name: ChannelName) => ({
      imap: `imap://${name}%40${domain}@127.0.0.1:${await proxies[`imap, ${name as 'seen' | 'moved'}`].listen()}`,
      token_file: secret,
    });
    const keys: Readonly<Record<ChannelName, object>> = {
      seen: await mailbox('seen'),
      moved: { ...(await mailbox('moved')), move_to: 'Done' },
      lmtp: { lmtp: this.#socket('gateway-lmtp') },
      ask: { lmtp: this.#socket('gateway-ask'), unknown: 'ask' },
    };
    const tables = channelNames.map((name) => {
      const table = {
        type: 'email',
        address: `${name}@${domain}`,
        authserv_id: authservId,
        smtp,
        allow: [person],
        replies_per_hour: 10_000,
        ...keys[name],
      };
      const lines = Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
      return `[channels.${name}]\n${lines.join('\n')}\n`;
    });
    writeFileSync(join(this.#place.directory, 'etc/sd-gateway.toml'), tables.join('\n'));
    await this.startGateway();
  }

  async close(): Promise<void> {
    if (this.#gateway !== null) await this.killGateway();
    this.#place.remove();
    for (const proxy of Object.values(this.#proxies ?? {})) proxy.close();
    await this.servers.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async startGateway(): Promise<void> {
    const command = [process.execPath, program, 'run'];
    const environment = { ...this.#place.environment, STATE_DIRECTORY: this.storeDisk };
    this.#gateway = new Gateway(this.servers.namespace.spawnAmongMounts(command, environment));
    await this.#gateway.says('Ready after');
  }

  /** Resolves once all channels take mails. */
  async channelsUp(): Promise<void> {
    await Promise.all(channelNames.map((name) => this.gateway.says(`The channel ${name} takes mails now`)));
  }

  async killGateway(): Promise<void> {
    const { child, end } = this.gateway;
    child.kill('SIGKILL');
    await end;
  }

  /** Gives a mail to the server that the channel has it from, again and again until that has it. */
  async write(channel: ChannelName, thread: string, number: number, text: string): Promise<void> {
    const mail = [
      `From: ${person}`,
      `To: ${channel}@${domain}`,
      `Message-ID: <${number}.${thread}@world.test>`,
      ...(number > 1 ? [`References: <1.${thread}@world.test>`] : []),
      '',
      text,
      '',
    ].join('\r\n');
    // Postfix adds the field by itself.
    const vouched = `Authentication-Results: ${authservId}; spf=pass smtp.mailfrom=${person}\r\n${mail}`;
    if (channel === 'lmtp') {
      const connectToPostfix = () => this.servers.namespace.connect(ports.smtp);
      const to = `${channel}@lmtp.test`;
      await untilTaken(() => handOver(connectToPostfix(), { hello: 'EHLO', from: person, to, mail }));
      return;
    }
    const socket = channel === 'ask' ? this.#socket('gateway-ask') : this.servers.dovecotLmtp;
    const to = `${channel}@${domain}`;
    await untilTaken(() => handOver(connect(socket), { hello: 'LHLO', from: person, to, mail: vouched }));
  }

  session(channel: ChannelName, thread: string): string {
    return `${channel}:${conversationOf(`<1.${thread}@world.test>`)}`;
  }

  /** The messages of a session, as the gateway has them. */
  async stored(session: string): Promise<readonly StoredMail[]> {
    const { status, body } = await this.#place.client.get(`/v1/sessions/${session}/messages?limit=1000`);
    if (status === 404) return [];
    return (body as { readonly items: readonly StoredMail[] }).items;
  }

  /** The mails that have come to the person. */
  answers(): readonly string[] {
    return this.mails('ada').map((file) => readFileSync(file, 'latin1').replace(/\r\n/g, '\n'));
  }

  /** The files of a mailbox that are not in a folder of it. */
  mails(user: string): readonly string[] {
    return ['new', 'cur'].flatMap((name) => {
      const folder = join(this.servers.mailbox(user), name);
      try {
        return readdirSync(folder).map((file) => join(folder, file));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        return [];
      }
    });
  }

  #socket(name: string): string {
    return join(this.servers.lmtpDirectory, `${name}.sock`);
  }
}

/** A mail that is given twice is one mail for the gateway. */
async function untilTaken(attempt: () => Promise<void>): Promise<void> {
  for (let left = 200; ; left -= 1) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
