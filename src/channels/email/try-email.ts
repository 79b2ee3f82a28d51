import { readMailServer } from '../../config/mail-server.js';
import { systemClock } from '../../lifecycle/effects/clock.js';
import { errorMessage } from '../../text/failure-text.js';
import { readAuthenticationResults } from './authentication-results.js';
import { readHead, valuesOf } from './headers.js';
import { ImapConnection } from './imap-connection.js';
import { readAddress } from './mailbox.js';
import { loadMailparser } from './optional-packages.js';
import { logInBySmtp } from './smtp-client.js';

/** Longest wait for one answer, in milliseconds. */
const timeoutMs = 15_000;

/** As much of a mail as has its head. */
const headBytes = 262_144;

export interface EmailPlaces {
  readonly address: string;
  /** As in the configuration. Null: mails come in by LMTP, which is not tried. */
  readonly imap: string | null;
  readonly smtp: string;
  readonly password: string | null;
}

/** The servers take the login, or the reason why not. Neither holds the password. */
export type EmailTrial =
  | {
      readonly kind: 'ok';
      /** The server that the newest mail of the mailbox says it was judged by; null: it does not say, or there is no mail. */
      readonly authservId: string | null;
    }
  | { readonly kind: 'problem'; readonly reason: string };

/** Logs in to both servers. It marks no mail, and sends none. */
export async function tryEmail(places: EmailPlaces, signal: AbortSignal): Promise<EmailTrial> {
  const { address, imap, smtp, password } = places;
  let at = 'imap';
  try {
    await loadMailparser();
    const authservId = imap === null ? null : await newestJudge(imap, password ?? '', signal);
    at = 'smtp';
    const { domain = '' } = readAddress(address) ?? {};
    const client = { server: readMailServer(smtp), password, ca: null, timeoutMs, ownDomain: domain };
    await logInBySmtp(client, signal);
    return { kind: 'ok', authservId };
  } catch (error) {
    const text = errorMessage(error);
    const reason = password === null || password === '' ? text : text.replaceAll(password, 'PASSWORD');
    return { kind: 'problem', reason: `the server of ${at} can't be used: ${reason}` };
  }
}

async function newestJudge(imap: string, password: string, signal: AbortSignal): Promise<string | null> {
  const server = readMailServer(imap);
  const connection = await ImapConnection.open({
    server,
    password,
    ca: null,
    mailbox: server.path ?? 'INBOX',
    largestBytes: headBytes,
    silenceMs: timeoutMs,
    clock: systemClock,
  });
  const stop = () => connection.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const { uidNext } = connection.mailbox;
    const newest = (await connection.list(Math.max(1, uidNext - 1))).at(-1);
    const mail = newest === undefined ? null : await connection.fetch(newest.uid, headBytes);
    const [top] = mail === null ? [] : valuesOf(readHead(mail), 'authentication-results');
    return top === undefined ? null : (readAuthenticationResults(top)?.authservId ?? null);
  } finally {
    signal.removeEventListener('abort', stop);
    connection.close();
  }
}
