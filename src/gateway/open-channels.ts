import type { AgentGroups } from '../agents/agent-groups.js';
import { Teller } from '../channels/conversation/teller.js';
import { defaultTexts } from '../channels/conversation/texts.js';
import { createChannel } from '../channels/create-channel.js';
import type { Hooks } from '../channels/hooks.js';
import {
  type ChannelConfiguration,
  type PeopleConfiguration,
  peopleChannels,
} from '../config/channel-table.js';
import type { Directories } from '../config/directories.js';
import type { Log } from '../log/log.js';
import type { OpenStore } from '../store/open-store.js';
import { channelContext, namedLog, noReception, type ReceptionContext } from './channel-context.js';
import { channelHost } from './channel-programs.js';
import { Channels } from './channels.js';
import type { GatewayEvents } from './events.js';
import { countedReception } from './metrics/counted.js';
import type { GatewayMetrics } from './metrics/gateway-metrics.js';
import { openReception, type ReceptionParts, readTexts } from './people/open-reception.js';
import type { Workers } from './workers.js';

export interface OpenChannelsOptions {
  readonly store: OpenStore;
  /** They are made after this, and before a channel starts. */
  readonly workers: () => Workers;
  /** Below it each channel's program has its directory, and each session one of its agent. */
  readonly directory: string;
  readonly agentDirectory: string;
  readonly directories: Pick<Directories, 'credentials'>;
  /** Null: processes of agents have no control groups of their own. */
  readonly groups: AgentGroups | null;
  /** Requests to channels. */
  readonly hooks: Hooks;
  readonly metrics: GatewayMetrics;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly events: Pick<GatewayEvents, 'changed'>;
}

export interface OpenChannels {
  readonly channels: Channels<ChannelConfiguration>;
  /** Tells people something by a channel; null: it is none that people write to, or did not start. */
  readonly tellerOf: (channel: string) => Teller | null;
}

/** Makes the channels with a table of their own, and starts none. */
export function openChannels(options: OpenChannelsOptions): OpenChannels {
  const { store, log, environment, groups, directory, agentDirectory, hooks, workers } = options;
  const tellers = new Map<string, Teller>();
  const changed = () => options.events.changed();
  const partsOf = (name: string, rules: PeopleConfiguration, teller: Teller): ReceptionParts => {
    const { people, sessions, actions, questions } = workers();
    return {
      rules,
      people: {
        role: async (id) => (await people.person(name, id))?.role ?? null,
        offerCode: (person) => people.offerCode(name, person),
      },
      words: { store, sessions, actions, questions },
      actions,
      teller,
      isHeld: (question) => workers().isHeld(question),
    };
  };
  const channels = new Channels<ChannelConfiguration>({
    create: async (name, configuration, signal) => {
      const host = channelHost({
        name,
        directory,
        agentDirectory,
        groups,
        environment,
        credentialsDirectory: options.directories.credentials,
        log: namedLog(log, name),
      });
      const rules = peopleChannels({ [name]: configuration }).get(name);
      const texts = rules === undefined ? defaultTexts : await readTexts(rules.texts);
      const reception = (context: ReceptionContext) => {
        if (rules === undefined) return noReception;
        const say = () => channels.sayOf(name);
        const teller = new Teller({ ...context, say, level: rules.notices, texts });
        tellers.set(name, teller);
        const opened = openReception(context, texts, partsOf(name, rules, teller));
        return countedReception(opened, name, options.metrics);
      };
      const context = channelContext({
        name,
        host,
        reception,
        store,
        attachmentLimits: () => workers().attachmentSettings(),
        accept: (messages, checkpoint) =>
          workers().intake.acceptAll(messages, workers().queueLimits(), checkpoint),
        hooks,
        guaranteeOf: (other) => channels.senderOf(other)?.guarantee?.() ?? null,
        publicUrl: () => workers().configuration.http.public_url,
        log,
        signal,
        healthChanged: changed,
      });
      return createChannel(configuration, context);
    },
    log,
    changed,
  });
  return { channels, tellerOf: (channel) => tellers.get(channel) ?? null };
}
