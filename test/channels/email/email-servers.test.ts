import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Gateway, Place } from '../../cli/foreground.js';
import { propertyRuns, propertyTimeoutMs } from '../../support/properties.js';
import { authservId, domain, hasMailServers, MailServers, password } from './mail-servers.js';

/** Real servers: a mail goes by SMTP to Postfix, on to Dovecot by LMTP, and to the gateway by IMAP; the answer goes back. */

const folder = mkdtempSync(join(tmpdir(), 'sd-gateway-mail-'));
const servers = new MailServers(folder);
const place = new Place();
let gateway: Gateway;

const channel = (name: string, keys: object) => {
  const table = {
    type: 'email',
    address: `${name}@${domain}`,
    authserv_id: authservId,
    smtp: `smtps://127.0.0.1:${servers.ports.smtps}`,
    ca_file: servers.certificate,
    allow: [`ada@${domain}`],
    ...keys,
  };
  const lines = Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `[channels.${name}]\n${lines.join('\n')}\n`;
};

interface Mail {
  readonly from?: string;
  /** The sender in the envelope, which the server looks at. Default: that of `from`. */
  readonly sender?: string;
  readonly to?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly attachments?: readonly { readonly filename: string; readonly content: string }[];
}

/** Gives a mail to Postfix, as another server of the world does. */
async function post(mail: Mail): Promise<void> {
  const { from = `ada@${domain}`, to = `agent@${domain}`, sender = from, attachments = [], ...rest } = mail;
  const transport = createTransport({ host: '127.0.0.1', port: servers.ports.smtp, ignoreTLS: true });
  await transport.sendMail({
    from,
    to,
    ...rest,
    attachments: [...attachments],
    envelope: { from: sender, to },
  });
}

/** The mails in a mailbox, in the order of their arrival. */
function mails(user: string): readonly string[] {
  const box = servers.mailbox(user);
  const all = ['new', 'cur'].flatMap((name) => {
    try {
      return readdirSync(join(box, name)).map((file) => join(box, name, file));
    } catch {
      return [];
    }
  });
  return all.sort().map((file) => readFileSync(file, 'utf8').replace(/\r\n/g, '\n'));
}

/** Awaits that a mail with this text is in the mailbox. */
async function answered(text: string, user = 'ada'): Promise<string> {
  return vi.waitFor(
    () => mails(user).find((mail) => mail.includes(text)) ?? expect.fail(`${servers.log()}\n${gateway.said}`),
    {
      timeout: 15_000,
      interval: 30,
    },
  );
}

const field = (mail: string, name: string) =>
  new RegExp(`^${name}:(.*(?:\\n[ \\t].*)*)`, 'im').exec(mail)?.[1]?.replace(/\n\s+/g, ' ').trim();

beforeAll(async () => {
  if (!hasMailServers) return;
  await servers.start();
  mkdirSync(join(place.directory, 'etc'));
  const secret = join(place.directory, 'etc/password');
  writeFileSync(secret, `${password}\n`, { mode: 0o600 });
  writeFileSync(
    join(place.directory, 'etc/sd-gateway.toml'),
    [
      channel('agent', {
        imap: `imaps://agent%40${domain}@127.0.0.1:${servers.ports.imaps}`,
        token_file: secret,
        display_name: 'Agent Ünit',
        check_interval: '2s',
        move_to: 'Done',
      }),
      channel('local', { lmtp: join(servers.lmtpDirectory, 'mail.sock') }),
    ].join('\n'),
  );
  gateway = await place.start();
  await Promise.all(['agent', 'local'].map((name) => gateway.says(`The channel ${name} takes mails now`)));
}, 30_000);

afterAll(async () => {
  place.remove();
  await servers.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(!hasMailServers)('a conversation by a mailbox', { timeout: 30_000 }, async () => {
  await post({
    subject: 'Grüße',
    text: 'Hello there',
    headers: { 'Message-ID': '<1@example.test>' },
    attachments: [{ filename: 'a.txt', content: 'file' }],
  });
  const first = await answered('Hello there');
  expect(field(first, 'From')).toMatch(/Agent.*<agent@example\.test>$/);
  expect(field(first, 'In-Reply-To')).toBe('<1@example.test>');
  expect(field(first, 'References')).toBe('<1@example.test>');
  expect(field(first, 'Auto-Submitted')).toBe('auto-replied');
  expect(field(first, 'Subject')).toMatch(/^=\?UTF-8\?/i);

  const id = field(first, 'Message-ID') ?? '';
  await post({
    subject: 'Re: Grüße',
    text: 'And again\n\nOn Mon, Agent <agent@example.test> wrote:\n> Hello',
    headers: { 'In-Reply-To': id },
  });
  const second = await answered('And again');
  expect(second).not.toContain('wrote:');
  expect(field(second, 'References')).toContain(id);
  const { body } = await place.client.get('/v1/sessions');
  expect(JSON.stringify(body).match(/"agent:/g)).toHaveLength(1);
  // They were moved once they were on disk.
  await vi.waitFor(() => expect(mails('agent')).toEqual([]), { timeout: 5_000 });
});

test.skipIf(!hasMailServers)('strangers and machines', { timeout: 30_000 }, async () => {
  // Each is from an address that may write, as far as the mail says.
  await post({ sender: 'eve@evil.example', text: 'forged sender' });
  await gateway.says(
    `nobody vouches for its author: neither DMARC nor an aligned DKIM or SPF passed for ${domain}`,
  );
  const vouched = `${authservId}; dmarc=pass header.from=${domain}`;
  await post({
    sender: 'eve@evil.example',
    text: 'forged result',
    headers: { 'Authentication-Results': vouched },
  });
  await post({ from: `ada@${domain}`, text: 'automatic', headers: { 'Auto-Submitted': 'auto-replied' } });
  await gateway.says('it must not be answered: it is Auto-Submitted');
  await post({ sender: '', text: 'a report' });
  await post({ from: `agent@${domain}`, text: 'from itself' });
  await post({ from: 'eve@evil.example', text: 'allowed by nobody' });
  await gateway.says('the person \\"eve@evil.example\\"');
  // They are taken in their order.
  await post({ text: 'the last one' });
  await answered('the last one');
  const answers = mails('ada').join();
  for (const text of ['forged', 'automatic', 'a report', 'from itself', 'allowed by nobody']) {
    expect(answers).not.toContain(text);
  }
  expect(mails('agent')).toHaveLength(6);
});

test.skipIf(!hasMailServers)('a conversation by LMTP', { timeout: 30_000 }, async () => {
  await post({ to: 'local@lmtp.test', subject: 'By LMTP', text: 'Good morning\n.\n..end' });
  const answer = await answered('Good morning');
  expect(field(answer, 'From')).toBe(`local@${domain}`);
  expect(answer).toContain('\n.\n..end');
  await post({ to: 'local@lmtp.test', sender: 'eve@evil.example', text: 'forged by LMTP' });
  await post({ to: 'local@lmtp.test', text: 'the last by LMTP' });
  await answered('the last by LMTP');
  expect(mails('ada').join()).not.toContain('forged by LMTP');
});

test.skipIf(!hasMailServers)('servers that are killed', { timeout: 30_000 }, async () => {
  await servers.kill('dovecot');
  await gateway.says('The channel agent is down: the mailbox');
  await post({ text: 'while the mailbox was away' });
  await servers.startDovecot();
  await gateway.says('The channel agent is up again');
  await servers.kill('postfix');
  await servers.startPostfix();
  await answered('while the mailbox was away');
});

test.skipIf(!hasMailServers)('a gateway that is killed, and comes back', { timeout: 30_000 }, async () => {
  gateway.child.kill('SIGKILL');
  await gateway.end;
  await post({ text: 'by the mailbox, while it was away' });
  await post({ to: 'local@lmtp.test', text: 'by LMTP, while it was away' });
  gateway = await place.start();
  await answered('by the mailbox, while it was away');
  await answered('by LMTP, while it was away');
  const all = mails('ada').map((mail) => field(mail, 'Message-ID'));
  expect(new Set(all).size).toBe(all.length);
});

/** Points at which the gateway is killed: once the records of the servers say so about a mail. */
const points: readonly ((id: string) => boolean)[] = [
  // It is in the mailbox, or on its way to the socket.
  (id) => servers.log().includes(`message-id=${id}`),
  // An answer has got to Postfix since.
  (id) => servers.log().split(`message-id=${id}`).slice(1).join().includes('message-id=<msg_'),
];

test.skipIf(!hasMailServers)('no mail is lost by kills', { timeout: propertyTimeoutMs(30_000) }, async () => {
  const kills = propertyRuns(1);
  const texts: string[] = [];
  for (let round = 0; round < kills; round += 1) {
    const text = `round-${round}`;
    const headers = { 'Message-ID': `<${text}@example.test>` };
    for (const to of [`agent@${domain}`, 'local@lmtp.test']) {
      texts.push(`${text} to ${to}`);
      await post({ to, text: `${text} to ${to}`, headers });
    }
    await vi.waitFor(() => expect(points[round % points.length]?.(headers['Message-ID'])).toBe(true), {
      timeout: 15_000,
      interval: 5,
    });
    gateway.child.kill('SIGKILL');
    await gateway.end;
    gateway = await place.start();
  }
  for (const text of texts) await answered(text);
  const ids = mails('ada').map((mail) => field(mail, 'Message-ID'));
  // A mail that was in doubt is sent again under its id: one of each channel may have been under way.
  expect(ids.length - new Set(ids).size).toBeLessThanOrEqual(2 * kills);
  for (const text of texts) {
    const answers = mails('ada').filter((mail) => mail.includes(text));
    expect(new Set(answers.map((mail) => field(mail, 'Message-ID'))).size).toBe(1);
  }
});
