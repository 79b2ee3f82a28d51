import { commentedConfiguration, type WrittenTable } from '../../config/written.js';

/** The keys of the table `[agent]`. */
export type AgentAnswer = Readonly<Record<string, unknown>> & { readonly type: string };

/** A table `[channels.NAME]`, and what is to be done with it. */
export interface ChannelAnswer {
  readonly name: string;
  /** The keys of the table. */
  readonly values: Readonly<Record<string, unknown>> & { readonly type: string };
  /** True: a platform posts to the gateway, and needs its public URL. */
  readonly takesWebhooks: boolean;
  /** The files of its secrets, which the gateway's user has to be able to read. */
  readonly secretFiles: readonly string[];
  /** Says in a line how to go on once the gateway runs. */
  readonly next: (surroundings: NextSurroundings) => string;
}

export interface NextSurroundings {
  readonly publicUrl: string | null;
  /** A command of sd-gateway for this gateway, as it is typed. */
  readonly command: (name: string, ...words: readonly string[]) => string;
}

export interface Answers {
  readonly agent: AgentAnswer;
  readonly channel: ChannelAnswer | null;
  readonly publicUrl: string | null;
  /** As it is written; null: the default. */
  readonly listen: string | null;
}

/** The text of the configuration file. */
export function configurationOf({ agent, channel, publicUrl, listen }: Answers): string {
  const http = { ...(listen !== null && { listen }), ...(publicUrl !== null && { public_url: publicUrl }) };
  const tables: WrittenTable[] = Object.keys(http).length === 0 ? [] : [{ path: ['http'], values: http }];
  tables.push({ path: ['agent'], values: agent });
  if (channel !== null) tables.push({ path: ['channels', channel.name], values: channel.values });
  return commentedConfiguration(tables);
}
