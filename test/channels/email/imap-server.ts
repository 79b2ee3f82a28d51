import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export interface StoredMail {
  readonly uid: number;
  readonly text: string;
  seen: boolean;
}

/** A server of one mailbox, as far as the channel uses it. Tests have it fall silent, and number its mails anew. */
export class ImapServer {
  uidValidity = 7;
  mails: StoredMail[] = [];
  /** Says nothing any more. */
  isSilent = false;
  /** Takes the place of the answer to a command; null: the usual one. */
  hostileAnswer: (command: string) => string | null = () => null;
  password = 's3cret';
  readonly commands: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => this.#serve(socket));

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  add(text: string, seen = false): void {
    this.mails.push({ uid: (this.mails.at(-1)?.uid ?? 0) + 1, text, seen });
    for (const socket of this.#sockets) if (!this.isSilent) socket.write(`* ${this.mails.length} EXISTS\r\n`);
  }

  get seen(): readonly number[] {
    return this.mails.filter(({ seen }) => seen).map(({ uid }) => uid);
  }

  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.disconnect();
  }

  #serve(socket: Socket): void {
    let text = '';
    let idleTag: string | null = null;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    if (!this.isSilent) socket.write('* OK ready\r\n');
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\r\n'); end !== -1; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        this.commands.push(line.replace(/^\S+ /, ''));
        if (this.isSilent) continue;
        if (line === 'DONE') {
          socket.write(`${idleTag} OK done\r\n`);
          idleTag = null;
          continue;
        }
        const [, tag = '', command = ''] = /^(\S+) (.*)$/.exec(line) ?? [];
        if (command === 'IDLE') {
          idleTag = tag;
          socket.write('+ waiting\r\n');
        } else socket.write(Buffer.from(this.#answer(tag, command), 'latin1'));
      }
    });
  }

  #answer(tag: string, command: string): string {
    const hostile = this.hostileAnswer(command);
    if (hostile !== null) return hostile;
    if (/^CAPABILITY/.test(command)) return `* CAPABILITY IMAP4rev1 IDLE\r\n${tag} OK done\r\n`;
    if (/^LOGIN/.test(command)) {
      return command.includes(this.password)
        ? `${tag} OK in\r\n`
        : `${tag} NO [AUTHENTICATIONFAILED] not you\r\n`;
    }
    if (/^LIST/.test(command)) return `* LIST () "/" INBOX\r\n${tag} OK done\r\n`;
    if (/^(?:SELECT|EXAMINE)/.test(command)) {
      const next = (this.mails.at(-1)?.uid ?? 0) + 1;
      return `* ${this.mails.length} EXISTS\r\n* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\n* OK [UIDVALIDITY ${this.uidValidity}] x\r\n* OK [UIDNEXT ${next}] x\r\n${tag} OK [READ-WRITE] done\r\n`;
    }
    const fetch = /^UID FETCH (\d+)(?::(\*|\d+))? (.*)$/.exec(command);
    if (fetch !== null) return `${this.#fetched(fetch)}${tag} OK done\r\n`;
    const store = /^UID STORE (\d+) /.exec(command);
    if (store !== null) {
      const mail = this.mails.find(({ uid }) => uid === Number(store[1]));
      if (mail !== undefined) mail.seen = true;
    }
    return `${tag} OK done\r\n`;
  }

  #fetched([, first = '', last, items = '']: RegExpExecArray): string {
    const begin = Number(first);
    const end = last === undefined ? begin : last === '*' ? Number.POSITIVE_INFINITY : Number(last);
    return this.mails
      .map((mail, index) => {
        const isLast = last === '*' && index === this.mails.length - 1;
        if (!isLast && (mail.uid < begin || mail.uid > end)) return '';
        const body = /BODY/.test(items) ? ` BODY[] {${Buffer.byteLength(mail.text)}}\r\n${mail.text}` : '';
        const flags = ` FLAGS (${mail.seen ? '\\Seen' : ''}) RFC822.SIZE ${mail.text.length}`;
        return `* ${index + 1} FETCH (UID ${mail.uid}${flags}${body})\r\n`;
      })
      .join('');
  }
}
