import { z } from 'zod';
import { mailServerMistake } from './mail-server.js';
import { absolutePath, count, longestSocketPath, size, timeSpan } from './values.js';

const mailboxAddress = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$/;

function mailServer(protocol: 'imap' | 'smtp') {
  return z.string().superRefine((text, context) => {
    const mistake = mailServerMistake(text, protocol);
    if (mistake !== null) context.addIssue({ code: 'custom', message: mistake });
  });
}

/** The keys of a channel of the type "email". */
export const emailKeys = () => ({
  address: z
    .string()
    .regex(mailboxAddress, 'must be the address of a mailbox, such as "agent@example.org"')
    .register(z.globalRegistry, { description: "The gateway's own address, which replies come from." }),
  display_name: z
    .string()
    .regex(/^[^\p{Cc}]{1,100}$/u, 'must be one line of at most 100 characters')
    .nullable()
    .default(null)
    .register(z.globalRegistry, { description: 'Name that stands beside the address in replies.' }),
  authserv_id: z
    .string()
    .regex(
      /^[A-Za-z0-9._:@-]{1,255}$/,
      'must be the first word of Authentication-Results, such as "mx.example.org"',
    )
    .register(z.globalRegistry, {
      description:
        "Name of your mail server in the field Authentication-Results (RFC 8601). A mail's author counts only if the topmost such field is of this server, and says that the mail is from there.",
    }),
  imap: mailServer('imap').nullable().default(null).register(z.globalRegistry, {
    description:
      'Mailbox that mails come in by, such as "imaps://agent@imap.example.org/INBOX". "imap://" is with STARTTLS or, on this machine, without TLS.',
  }),
  lmtp: absolutePath
    .refine(
      (path) => Buffer.byteLength(path) <= longestSocketPath,
      `must have at most ${longestSocketPath} bytes`,
    )
    .nullable()
    .default(null)
    .register(z.globalRegistry, {
      description:
        'Unix socket at which your own mail server hands over mails by LMTP, in the place of `imap`. Its directory says who may connect.',
    }),
  smtp: mailServer('smtp').register(z.globalRegistry, {
    description:
      'Server that takes replies, such as "smtps://agent@smtp.example.org". "smtp://" is with STARTTLS or, on this machine, without TLS.',
  }),
  ca_file: absolutePath.nullable().default(null).register(z.globalRegistry, {
    description:
      "Certificates of the authorities that the mail servers' certificates are of, in PEM. Unset: those that Node.js knows.",
  }),
  move_to: z.string().min(1).nullable().default(null).register(z.globalRegistry, {
    description: 'Mailbox for mails that were taken. Unset: they are marked as read, and stay.',
  }),
  check_interval: timeSpan(1_000, 1_500_000).prefault('5min').register(z.globalRegistry, {
    description:
      'Time after which the mailbox is looked at, also if the server has told nothing. A server that does not answer then is left, and connected to again.',
  }),
  message_limit: size(64 * 1024, 100 * 1024 ** 2)
    .prefault('25M')
    .register(z.globalRegistry, {
      description:
        'Largest mail. A larger one is set aside as dead; files that a reply has no room for are left out.',
    }),
  replies_per_hour: count(1, 10_000).default(30).register(z.globalRegistry, {
    description:
      'Mails of one person that are answered in an hour. Others are set aside as dead, so that two machines can not answer each other for ever.',
  }),
  unknown: z.enum(['resend', 'ask', 'drop']).default('resend').register(z.globalRegistry, {
    description:
      'Handling of a reply that may have arrived. Sent again, it has the same Message-ID, by which many mail servers know it.',
  }),
  retry_for: timeSpan(0, 7 * 86_400_000)
    .prefault('1d')
    .register(z.globalRegistry, {
      description: 'Time for which a reply that could not be sent is tried again.',
    }),
});
