import { Readable } from 'node:stream';
import type { MailServer } from '../../config/mail-server.js';
import { loadSmtpConnection } from './optional-packages.js';
import { type SmtpFailure, smtpFailure } from './smtp-outcome.js';
import { tlsOptions } from './tls-options.js';

export interface SmtpClientOptions {
  readonly server: MailServer;
  /** Null: the server asks for none. */
  readonly password: string | null;
  readonly ca: string | null;
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
  /** The name in EHLO. */
  readonly ownDomain: string;
}

export interface Envelope {
  readonly from: string;
  readonly to: string;
}

/** The mail was not taken, as far as is known. */
export class SmtpError extends Error {
  constructor(readonly failure: SmtpFailure) {
    super(failure.message);
    this.name = 'SmtpError';
  }
}

/**
 * Sends one mail over a connection of its own. Gives the server's answer, by which it has the mail. Throws an SmtpError,
 * also when the signal is aborted.
 */
export function sendBySmtp(
  options: SmtpClientOptions,
  envelope: Envelope,
  mail: Buffer,
  signal: AbortSignal,
): Promise<string> {
  let isWhole = false;
  const send: Work = (connection, done, fail) => {
    const content = Readable.from(piecesOf(mail));
    // The connection reads it once the server has asked for the mail.
    content.once('end', () => {
      isWhole = true;
    });
    connection.send({ from: envelope.from, to: [envelope.to], size: mail.length }, content, (error, info) => {
      if (error === null || error === undefined) done(info.response);
      else fail(error);
    });
  };
  return overSmtp(options, signal, () => isWhole, send);
}

/** Logs in, and sends nothing. Throws an SmtpError, also when the signal is aborted. */
export async function logInBySmtp(options: SmtpClientOptions, signal: AbortSignal): Promise<void> {
  await overSmtp(
    options,
    signal,
    () => false,
    (_connection, done) => done(''),
  );
}

type Connection = InstanceType<Awaited<ReturnType<typeof loadSmtpConnection>>>;

/** Something to do over a connection that is logged in. */
type Work = (connection: Connection, done: (answer: string) => void, fail: (error: unknown) => void) => void;

/** @param mayHaveArrived true once the whole mail went out */
async function overSmtp(
  { server, password, ca, timeoutMs, ownDomain }: SmtpClientOptions,
  signal: AbortSignal,
  mayHaveArrived: () => boolean,
  work: Work,
): Promise<string> {
  const SmtpConnection = await loadSmtpConnection();
  const connection = new SmtpConnection({
    host: server.host,
    port: server.port,
    secure: server.security === 'tls',
    requireTLS: server.security === 'starttls',
    ignoreTLS: server.security === 'none',
    tls: tlsOptions(ca),
    name: ownDomain,
    logger: false,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      const fail = (error: unknown) => reject(new SmtpError(smtpFailure(error, mayHaveArrived())));
      const abort = () => fail(new Error('the gateway stops'));
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      connection.on('error', fail);
      connection.on('end', () => fail(new Error('the server has closed the connection')));
      connection.connect((error) => {
        if (error !== null && error !== undefined) fail(error);
        else if (server.user === null || password === null) work(connection, resolve, fail);
        else {
          connection.login({ user: server.user, pass: password }, (refused) => {
            if (refused !== null && refused !== undefined) fail(refused);
            else work(connection, resolve, fail);
          });
        }
      });
    });
  } finally {
    connection.close();
  }
}

function* piecesOf(bytes: Buffer): Generator<Buffer> {
  const size = 64 * 1024;
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}
