import type { Socket } from 'node:net';

interface Handover {
  /** The first word of the client: that of SMTP or of LMTP. */
  readonly hello: 'EHLO' | 'LHLO';
  readonly from: string;
  readonly to: string;
  /** Lines that end in CR and LF, none of which begins with a dot. */
  readonly mail: string;
}

/** Gives one mail to a server. Rejects if the server has not said that it has the mail. */
export function handOver(socket: Socket, { hello, from, to, mail }: Handover): Promise<void> {
  const lines = [`${hello} test`, `MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA', `${mail}.`, 'QUIT'];
  return new Promise((resolve, reject) => {
    let heard = '';
    let said = 0;
    socket
      .setEncoding('latin1')
      .setTimeout(10_000, () => socket.destroy(new Error('the server does not answer')))
      .on('error', reject)
      .on('close', () => reject(new Error(`the server has ended before it took the mail: ${heard}`)))
      .on('data', (chunk: string) => {
        heard += chunk;
        for (;;) {
          const [whole, code = ''] = /^(?:\d{3}-[^\n]*\n)*(\d{3}) [^\n]*\n/.exec(heard) ?? [];
          if (whole === undefined) return;
          heard = heard.slice(whole.length);
          if (!/^[23]/.test(code)) {
            socket.destroy(new Error(`${whole.trim()} to ${lines[said - 1]}`));
            return;
          }
          if (said === lines.length - 1) resolve();
          socket.write(`${lines[said]}\r\n`);
          said += 1;
        }
      });
  });
}
