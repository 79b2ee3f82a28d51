import { z } from 'zod';
import { channelName, namedTables, tableOfTypes } from './named-tables.js';

/** The keys of every type. */
export const commonChannelKeys = {
  required: z.boolean().default(false).register(z.globalRegistry, {
    description:
      "What happens if the channel can't be started: true ends the start of the gateway; false goes on without the channel, and tries again.",
  }),
};

/** A table for each type of channel: a `type`, its keys, and those of every type. */
const types = [] as const;

/** The tables `[channels.NAME]`. */
export const channelTables = namedTables(channelName, tableOfTypes(types));

export type ChannelConfiguration = z.output<(typeof types)[number]>;

/** The keys of every type, for code that runs any of them. */
export interface CommonChannelConfiguration {
  readonly required: boolean;
}
