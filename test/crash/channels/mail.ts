import { connect, type Socket } from 'node:net';
import { conversationOf } from '../../../src/channels/email/thread.js';
import { ImapServer } from '../../channels/email/imap-server.js';
import { lead, passTo } from '../../machine/harness/lead.js';
import type { Machine } from '../../machine/harness/machine.js';
import { type Platform, quiet, type Row, type ShownText } from './platform.js';

const own = 'agent@example.org';
const smtpPorts = { imap: 2_526, lmtp: 2_525, 'lmtp-ask': 2_527, 'lmtp-drop': 2_528 };

type Way = keyof typeof smtpPorts;

/** Goes wrong with the next mail: no connection, a refusal, the end before it is taken, or before its answer. */
type SmtpFault = 'away' | 'later' | 'cut before' | 'cut after';

/** A mail server of the other side, as far as the gateway uses it. */
class SmtpSink {
  readonly mails: string[] = [];
  readonly mistakes: string[] = [];
  fault: SmtpFault | null = null;

  readonly serve = (socket: Socket): void => {
    let text = '';
    let isMail = false;
    const say = (line: string) => socket.write(`${line}\r\n`);
    socket.on('error', () => undefined).setEncoding('latin1');
    if (this.#take('away')) return void socket.destroy();
    say('220 sink');
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (;;) {
        const mark = isMail ? '\r\n.\r\n' : '\r\n';
        const end = text.indexOf(mark);
        if (end === -1) return;
        const part = text.slice(0, end);
        text = text.slice(end + mark.length);
        if (!isMail) {
          isMail = /^DATA$/i.test(part);
          say(isMail ? '354 go on' : '250 ok');
          continue;
        }
        isMail = false;
        if (this.#take('cut before')) return void socket.destroy();
        if (this.#take('later')) say('451 4.3.0 later');
        else {
          this.mails.push(part);
          if (this.#take('cut after')) return void socket.destroy();
          say('250 2.0.0 taken');
        }
      }
    });
  };

  #take(fault: SmtpFault): boolean {
    if (this.fault !== fault) return false;
    this.fault = null;
    return true;
  }

  /** The replies, by the conversation in their ids. */
  shown(kind: string): readonly ShownText[] {
    return this.mails.map((mail) => {
      const [, conversation = ''] = /^Message-ID:\s*<[\w-]+\.([0-9a-f]{32})@/im.exec(mail) ?? [];
      const body = mail.slice(mail.indexOf('\r\n\r\n') + 4).trim();
      return { session: `${kind}:${conversation}`, text: body };
    });
  }
}

/** Threads, each of one person. A mail's id is that of the thread, and a number. */
class Threads {
  readonly sessions: readonly string[];
  readonly #numbers = new Map<string, number>();

  constructor({ kind, chats }: Row) {
    this.sessions = chats.map((chat) => `${kind}:${conversationOf(`<1.thread-${chat}@example.net>`)}`);
  }

  mail(session: string, text: string): string {
    const thread = `thread-${this.sessions.indexOf(session)}`;
    const number = (this.#numbers.get(session) ?? 0) + 1;
    this.#numbers.set(session, number);
    return [
      'Authentication-Results: mx.example.org; dmarc=pass header.from=example.net',
      `From: ${thread}@example.net`,
      `To: ${own}`,
      `Message-ID: <${number}.${thread}@example.net>`,
      ...(number > 1 ? [`References: <1.${thread}@example.net>`] : []),
      '',
      text,
      '',
    ].join('\r\n');
  }
}

/** The operator's own mail server: a mail comes again until it has its 250, one of a thread after the other. */
class LmtpClient {
  readonly #path: string;
  readonly mistakes: string[] = [];
  readonly #queues = new Map<string, Promise<void>>();
  #isOver = false;
  /** The next answer is not waited for. */
  leavesEarly = false;

  constructor(machine: Machine, path: string) {
    this.#path = `/proc/${machine.pid}/root${path}`;
  }

  put(session: string, mail: string): void {
    const before = this.#queues.get(session) ?? Promise.resolve();
    this.#queues.set(
      session,
      before.then(() => this.#deliver(mail)),
    );
  }

  end(): void {
    this.#isOver = true;
  }

  async #deliver(mail: string): Promise<void> {
    while (!this.#isOver && !(await this.#tryOnce(mail))) await new Promise((done) => setTimeout(done, 100));
  }

  /** True: it was taken. */
  #tryOnce(mail: string): Promise<boolean> {
    const lines = ['LHLO mx', 'MAIL FROM:<x@example.net>', `RCPT TO:<${own}>`, 'DATA', `${mail}.`, 'QUIT'];
    return new Promise((resolve) => {
      let heard = '';
      let said = 0;
      const socket = connect(this.#path)
        .setEncoding('latin1')
        .setTimeout(5_000, () => socket.destroy())
        .on('error', () => resolve(false))
        .on('close', () => resolve(false))
        .on('data', (chunk: string) => {
          heard += chunk;
          for (;;) {
            const [whole, code] = /^(?:\d{3}-[^\n]*\n)*(\d{3}) [^\n]*\n/.exec(heard) ?? [];
            if (whole === undefined || code === undefined) return;
            heard = heard.slice(whole.length);
            if (/^5/.test(code)) this.mistakes.push(`lmtp: ${whole.trim()} was said to ${lines[said - 1]}`);
            if (!/^[23]/.test(code)) return void socket.destroy();
            if (said === 5) resolve(true);
            socket.write(`${lines[said]}\r\n`);
            said += 1;
            if (said === 5 && this.leavesEarly) {
              this.leavesEarly = false;
              return void socket.destroySoon();
            }
          }
        });
    });
  }
}

const tableOf = (way: Way, keys: string) => `type = "email"
address = "${own}"
authserv_id = "mx.example.org"
smtp = "smtp://127.0.0.1:${smtpPorts[way]}"
replies_per_hour = 10000
${quiet}${keys}`;

const smtpFaults: readonly { readonly fault: SmtpFault; readonly weight: number }[] = [
  { fault: 'away', weight: 1 },
  { fault: 'later', weight: 1 },
  { fault: 'cut before', weight: 2 },
  { fault: 'cut after', weight: 4 },
];

/** Mails that the operator's mail server hands over. */
export async function lmtpPlatform(machine: Machine, row: Row): Promise<Platform> {
  const sink = new SmtpSink();
  const way = row.kind as Exclude<Way, 'imap'>;
  await lead(machine, smtpPorts[way], sink.serve);
  const threads = new Threads(row);
  const path = `/run/tester/${way}.sock`;
  const client = new LmtpClient(machine, path);
  return {
    kind: way,
    table: tableOf(way, `lmtp = "${path}"\n${row.unknownKey}`),
    secrets: {},
    sessions: threads.sessions,
    write: (session, text) => client.put(session, threads.mail(session, text)),
    misbehave: (random) => {
      if (random.chance(0.6)) client.leavesEarly = true;
      else sink.fault = random.pick(smtpFaults).fault;
    },
    shown: () => sink.shown(way),
    mistakes: () => client.mistakes,
    close: async () => client.end(),
  };
}

/** A mailbox. */
export async function imapPlatform(machine: Machine, row: Row): Promise<Platform> {
  const sink = new SmtpSink();
  await lead(machine, smtpPorts.imap, sink.serve);
  const server = new ImapServer();
  const port = await server.listen();
  await lead(machine, port, passTo(`http://127.0.0.1:${port}`));
  const threads = new Threads(row);
  return {
    kind: 'imap',
    table: tableOf(
      'imap',
      `imap = "imap://agent@127.0.0.1:${port}"\ntoken_file = "/run/tester/imap.token"\n${row.unknownKey}`,
    ),
    secrets: { 'imap.token': server.password },
    sessions: threads.sessions,
    write: (session, text) => server.add(threads.mail(session, text)),
    misbehave: (random) => {
      if (random.chance(0.6)) server.disconnect();
      else sink.fault = random.pick(smtpFaults).fault;
    },
    shown: () => sink.shown('imap'),
    mistakes: () => [],
    close: async () => server.close(),
  };
}
