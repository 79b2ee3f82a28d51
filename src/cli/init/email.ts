import { emailKeys } from '../../config/email-keys.js';
import { readMailServer } from '../../config/mail-server.js';
import { UsageError } from '../usage.js';
import type { ChannelAnswer } from './answers.js';
import { InterruptedError } from './asker.js';
import type { ChannelQuestions, FoundToken, OfferedChannel } from './channel-questions.js';

const name = 'email';

export const emailChannel: OfferedChannel = {
  choice: name,
  meaning: 'a mailbox, or the mail server of this machine',
  ask: askEmail,
};

async function askEmail(questions: ChannelQuestions): Promise<ChannelAnswer | null> {
  const { asker } = questions;
  if (asker.given('imap') !== null && asker.given('lmtp') !== null) {
    throw new UsageError('--imap and --lmtp exclude each other: mails come in by one of them', 'init');
  }
  const address = await questions.checked(
    { option: 'address', text: 'The address of the agent, such as agent@example.org:' },
    emailKeys().address,
  );
  const user = encodeURIComponent(address);
  const host = address.slice(address.indexOf('@') + 1);
  const imap = await questions.checked(
    {
      option: 'imap',
      text: `The mailbox, such as imaps://${user}@imap.${host} (empty: your own mail server hands mails over by LMTP):`,
      byDefault: '',
    },
    emailKeys().imap,
  );
  const lmtp =
    imap !== null
      ? null
      : await questions.checked(
          {
            option: 'lmtp',
            text: 'The Unix socket to listen at for your mail server:',
            byDefault: '/run/sd-gateway-mail/lmtp',
          },
          emailKeys().lmtp,
        );
  const smtp = await questions.checked(
    {
      option: 'smtp',
      text: `The server that takes replies, such as smtps://${user}@smtp.${host}:`,
      ...(imap === null && { byDefault: 'smtp://127.0.0.1:25' }),
    },
    emailKeys().smtp,
  );
  const needsPassword = imap !== null || readMailServer(smtp).user !== null;
  const password = needsPassword
    ? await questions.token(name, {
        kind: 'password',
        question: 'The password of the mailbox, best one for this program alone:',
        maker: 'it names the file with the password of the mailbox',
      })
    : null;
  asker.say('Logging in…');
  const { tryEmail } = await import('../../channels/email/try-email.js');
  const trial = await tryEmail({ address, imap, smtp, password: password?.text ?? null }, asker.interrupted);
  if (asker.interrupted.aborted) throw new InterruptedError();
  if (trial.kind === 'ok')
    asker.say(imap === null ? '✓ The server of smtp takes mails' : '✓ Both servers take the login');
  else if (!(await takes(questions, password, trial.reason))) return null;
  if (trial.kind === 'ok' && trial.authservId !== null) {
    asker.say(`The newest mail there was judged by "${trial.authservId}", if that is your own mail server.`);
  }
  const authservId = await questions.checked(
    {
      option: 'authserv-id',
      text: 'The name of your mail server in Authentication-Results (docs/channels/email.md), such as mx.example.org:',
    },
    emailKeys().authserv_id,
  );
  if (password?.isTyped === true) questions.secrets.push(password);
  const owners = await questions.ids(
    'owners',
    'Your own address, from which you write to it (empty: nobody may write yet):',
    /^[^\s@A-Z*]+@[^\s@A-Z*]+$/,
    'it is an address in lower case, such as ada@example.org',
  );
  return {
    name,
    values: {
      type: name,
      address,
      authserv_id: authservId,
      ...(imap === null ? { lmtp } : { imap }),
      smtp,
      ...(password !== null && { token_file: password.path }),
      ...(owners.length > 0 && { owners }),
    },
    takesWebhooks: false,
    secretFiles: password === null ? [] : [password.path],
    next: () =>
      owners.length > 0
        ? `Then write a mail to ${address}.`
        : `Nobody may write to ${address} until owners or allow names an address.`,
  };
}

function takes(questions: ChannelQuestions, password: FoundToken | null, reason: string): Promise<boolean> {
  return questions.takesToken(password ?? { path: '', text: '', isTyped: true }, reason);
}
