import type { Takeover } from './takeover.js';

export interface NamedMailbox {
  readonly address: string;
  readonly imapHost: string;
  readonly imapPort: string | null;
  readonly smtpHost: string;
  readonly smtpPort: string | null;
}

/** The names by which the large providers sign Authentication-Results, by the host of their IMAP. */
const knownServers: Readonly<Record<string, string>> = {
  'imap.gmail.com': 'mx.google.com',
};

/** The keys of `type = "email"`. One that can't be told is written so that every mail counts as a stranger's. */
export function mailboxOf(mailbox: NamedMailbox, takeover: Takeover): Readonly<Record<string, unknown>> {
  const { address, imapHost, imapPort, smtpHost, smtpPort } = mailbox;
  const user = encodeURIComponent(address);
  const known = knownServers[imapHost.toLowerCase()];
  if (known === undefined) {
    takeover.remarks.push(
      'authserv_id of channels.email is a guess, as Hermes does not know it. Until it is right, every mail is a stranger’s: it is the first word of the topmost Authentication-Results of a mail in the mailbox.',
    );
  }
  const imap = imapPort === null || imapPort === '993' ? 'imaps' : 'imap';
  const smtp = smtpPort === '465' ? 'smtps' : 'smtp';
  return {
    address,
    authserv_id: known ?? imapHost,
    imap: `${imap}://${user}@${imapHost}${portOf(imapPort, imap === 'imaps' ? '993' : '143')}/INBOX`,
    smtp: `${smtp}://${user}@${smtpHost}${portOf(smtpPort, smtp === 'smtps' ? '465' : '587')}`,
  };
}

function portOf(port: string | null, usual: string): string {
  return port === null || port === usual ? '' : `:${port}`;
}
