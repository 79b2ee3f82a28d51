import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A server of mails that says to each command what it is told to say. */
export class MailServer {
  readonly received: string[] = [];
  readonly mails: string[] = [];
  /** Answers by the begin of a command; null: the connection breaks. */
  answers: Record<string, string | null> = {};
  readonly #server: Server = createServer((socket) => this.#serve(socket));

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }

  #serve(socket: Socket): void {
    let text = '';
    let mail: string | null = null;
    const say = (key: string, usual: string) => {
      const answer = key in this.answers ? this.answers[key] : usual;
      if (answer === null || answer === undefined) socket.destroy();
      else socket.write(`${answer}\r\n`);
    };
    socket.on('error', () => undefined).setEncoding('utf8');
    say('greeting', '220 x');
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (;;) {
        if (mail !== null) {
          const end = text.indexOf('\r\n.\r\n');
          if (end === -1) return;
          this.mails.push(text.slice(0, end + 2));
          text = text.slice(end + 5);
          mail = null;
          say('.', '250 2.0.0 queued as 1');
        }
        const end = text.indexOf('\r\n');
        if (end === -1) return;
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        this.received.push(line);
        const verb = line.slice(0, 4).toUpperCase();
        if (verb === 'EHLO') say('EHLO', '250-x\r\n250-AUTH PLAIN\r\n250 8BITMIME');
        else if (verb === 'AUTH') say('AUTH', '235 2.7.0 in');
        else if (verb === 'DATA') {
          say('DATA', '354 go on');
          if (!('DATA' in this.answers)) mail = '';
        } else say(verb, '250 2.0.0 ok');
      }
    });
  }
}
