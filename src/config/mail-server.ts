/** The address of a mail server, as the configuration has it: `imaps://ada@imap.example.org/INBOX`. */

export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte, by STARTTLS, or none, which only a server on this machine may have. */
  readonly security: 'tls' | 'starttls' | 'none';
  /** Null: the server asks for no name. */
  readonly user: string | null;
  /** Behind the slash; null: none is named. */
  readonly path: string | null;
}

const ports = { imaps: 993, imap: 143, smtps: 465, smtp: 587 } as const;

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Reads a URL that `mailServerMistake` has nothing to say about. */
export function readMailServer(text: string): MailServer {
  const url = new URL(text);
  const scheme = url.protocol.slice(0, -1) as keyof typeof ports;
  const path = decodeURIComponent(url.pathname.replace(/^\//, ''));
  const isOnThisMachine = loopback.test(url.hostname);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? ports[scheme] : Number(url.port),
    security: scheme.endsWith('s') ? 'tls' : isOnThisMachine ? 'none' : 'starttls',
    user: url.username === '' ? null : decodeURIComponent(url.username),
    path: path === '' ? null : path,
  };
}

/** Says what is wrong with the URL of a mail server; null: nothing. */
export function mailServerMistake(text: string, protocol: 'imap' | 'smtp'): string | null {
  const example = protocol === 'imap' ? 'imaps://ada@imap.example.org' : 'smtps://ada@smtp.example.org';
  const match =
    /^([a-z]+):\/\/(?:([^@/?#\s]*)@)?(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::\d{1,5})?(\/[^?#\s]*)?$/i.exec(text);
  if (match === null || !URL.canParse(text)) return `is not the URL of a server, such as "${example}"`;
  const [, scheme = '', user, , path = ''] = match;
  if (scheme !== protocol && scheme !== `${protocol}s`)
    return `must begin with "${protocol}s://" or "${protocol}://"`;
  if (user?.includes(':') === true)
    return 'must not hold a password: put it into the file that token_file names';
  if (protocol === 'smtp' && path.length > 1) return 'must end with the host or the port';
  try {
    decodeURIComponent(`${user ?? ''}${path}`);
  } catch {
    return 'has a "%" that is not followed by two hexadecimal digits';
  }
  return protocol === 'imap' && (user ?? '') === '' ? `must name a user, as in "${example}"` : null;
}
