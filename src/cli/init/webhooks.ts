import { resolve } from 'node:path';
import { hookPath } from '../../channels/hooks.js';
import { readWebhookSecrets } from '../../channels/webhook-in/signatures.js';
import type { WebhookScheme } from '../../config/webhook-keys.js';
import { newSecretToken } from '../../text/secret-token.js';
import { UsageError } from '../usage.js';
import type { ChannelAnswer } from './answers.js';
import type { ChannelQuestions, OfferedChannel } from './channel-questions.js';

const meanings: readonly (readonly [WebhookScheme, string])[] = [
  ['github', 'webhooks of GitHub'],
  ['stripe', 'webhooks of Stripe'],
  ['standard-webhooks', 'webhooks of any sender of Standard Webhooks'],
];

/** Messages of a platform that an agent can do something with, until the operator writes a template of their own. */
const templates: Readonly<Record<WebhookScheme, Readonly<Record<string, unknown>>>> = {
  github: { conversation: '{repository.full_name|events}', payload: 'attachment' },
  stripe: { conversation: '{data.object.customer|events}', payload: 'attachment' },
  'standard-webhooks': { payload: 'attachment' },
};

export const webhookChannels: readonly OfferedChannel[] = meanings.map(([scheme, meaning]) => ({
  choice: scheme,
  meaning,
  ask: (questions) => askWebhook(scheme, questions),
}));

async function askWebhook(scheme: WebhookScheme, questions: ChannelQuestions): Promise<ChannelAnswer> {
  const name = scheme === 'standard-webhooks' ? 'hooks' : scheme;
  const file = await secretFile(scheme, questions.pathOf(name, 'secret'), questions);
  return {
    name,
    values: { type: 'webhook', scheme, token_file: file, ...templates[scheme] },
    takesWebhooks: true,
    secretFiles: [file],
    next: ({ publicUrl }) =>
      `Give the platform the URL ${publicUrl ?? 'https://YOUR-HOST'}${hookPath(name)} and the secret in ${file}.`,
  };
}

async function secretFile(scheme: WebhookScheme, path: string, questions: ChannelQuestions): Promise<string> {
  const { asker, secrets } = questions;
  for (;;) {
    const given = await asker.ask({
      option: 'secret-file',
      text: 'A file with its secret, if there is one already:',
      byDefault: '',
    });
    if (given === '') break;
    const file = resolve(given);
    const check = (secret: string) => void readWebhookSecrets(scheme, secret, file);
    if (await questions.takesSecretFile(scheme, file, check)) return file;
  }
  if (questions.isThere(path)) return path;
  if (scheme === 'github') {
    secrets.push({ path, text: newSecretToken() });
    return path;
  }
  const text = await asker.askSecret('The signing secret, as the platform shows it:');
  if (text === '') throw new UsageError('--secret-file is needed: the platform makes the secret', 'init');
  secrets.push({ path, text });
  return path;
}
