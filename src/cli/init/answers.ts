import type { WebhookScheme } from '../../config/webhook-keys.js';
import { commentedConfiguration, type WrittenTable } from '../../config/written.js';

/** The keys of the table `[agent]`. */
export type AgentAnswer = Readonly<Record<string, unknown>> & { readonly type: string };

/** A channel by which webhooks of a platform come. */
export interface ChannelAnswer {
  /** The name of its table. */
  readonly name: string;
  readonly scheme: WebhookScheme;
  readonly secretFile: string;
}

export interface Answers {
  readonly agent: AgentAnswer;
  readonly channel: ChannelAnswer | null;
  readonly publicUrl: string | null;
  /** As it is written; null: the default. */
  readonly listen: string | null;
}

/** Messages of a platform that an agent can do something with, until the operator writes a template of their own. */
const templates: Readonly<Record<WebhookScheme, Readonly<Record<string, unknown>>>> = {
  github: { conversation: '{repository.full_name|events}', payload: 'attachment' },
  stripe: { conversation: '{data.object.customer|events}', payload: 'attachment' },
  'standard-webhooks': { payload: 'attachment' },
};

/** The text of the configuration file. */
export function configurationOf({ agent, channel, publicUrl, listen }: Answers): string {
  const http = { ...(listen !== null && { listen }), ...(publicUrl !== null && { public_url: publicUrl }) };
  const tables: WrittenTable[] = Object.keys(http).length === 0 ? [] : [{ path: ['http'], values: http }];
  tables.push({ path: ['agent'], values: agent });
  if (channel !== null) {
    const { name, scheme, secretFile } = channel;
    tables.push({
      path: ['channels', name],
      values: { type: 'webhook', scheme, token_file: secretFile, ...templates[scheme] },
    });
  }
  return commentedConfiguration(tables);
}
