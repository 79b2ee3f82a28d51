import type { TurnProcess } from '../agents/turn-processes.js';
import type { Hooks } from '../channels/hooks.js';
import type { HttpChannel } from '../channels/http/http-channel.js';
import type { OpenAiSettings } from '../channels/http/openai/settings.js';
import type { Readiness } from '../channels/surroundings.js';
import type { ChannelConfiguration } from '../config/channel-table.js';
import type { Configuration } from '../config/schema.js';
import type { Log } from '../log/log.js';
import type { OpenStore } from '../store/open-store.js';
import type { Channels } from './channels.js';
import type { GatewayEvents } from './events.js';
import { metricsContentType } from './metrics/exposition.js';
import type { GatewayMetrics } from './metrics/gateway-metrics.js';
import { ConnectionRoom } from './sockets/connection-room.js';
import { FdStoreSockets, type SocketPlan } from './sockets/fd-store-sockets.js';
import { turnOfProcesses } from './start/control.js';
import type { Workers } from './workers.js';

export interface HttpParts {
  readonly configuration: Configuration;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly events: Pick<GatewayEvents, 'changed'>;
  readonly reports: { readiness(): Readiness; metricsText(): Promise<string> };
  readonly metrics: Pick<GatewayMetrics, 'problem'>;
  readonly store: OpenStore;
  readonly workers: Workers;
  readonly channels: Channels<ChannelConfiguration>;
  readonly hooks: Hooks;
  readonly turnProcesses: ReadonlySet<TurnProcess>;
  /** The operator's. */
  readonly token: string;
}

/** Makes the HTTP interface, which does not listen yet. */
export async function openHttp(parts: HttpParts): Promise<HttpChannel> {
  const { configuration, environment, log, events, reports, metrics } = parts;
  const { store, workers, channels, hooks, turnProcesses, token } = parts;
  // A large part of the program, which is not loaded before the store's thread has work.
  const { createHttpChannel } = await import('../channels/http/http-channel.js');
  const sockets = new FdStoreSockets(environment, log);
  const room = new ConnectionRoom(() => workers.configuration);
  // They can be taken once, also if the address is tried again.
  let plan: SocketPlan | null = null;
  const http = createHttpChannel({
    store,
    accept: (message, limits) => workers.intake.accept(message, limits),
    openSockets: async () => {
      if (plan === null) {
        plan = await sockets.take(configuration.http.listen);
        room.measure(plan.connections.length, log);
      }
      return plan;
    },
    sockets,
    changes: workers.messages,
    log,
    token,
    turnReplies: workers.callbacks,
    hooks,
    callerTurn: (pids) => turnOfProcesses(pids, turnProcesses, log),
    bodyLimit: configuration.http.body_limit,
    settings: () => ({
      waitLimit: workers.configuration.http.wait_limit,
      queue: workers.queueLimits(),
      publicUrl: workers.configuration.http.public_url,
      trustedProxies: workers.configuration.http.trusted_proxies,
      channelNames: Object.keys(workers.configuration.channels),
      attachments: workers.attachmentSettings(),
    }),
    openAi: () => openAiSettings(workers.configuration),
    readiness: () => reports.readiness(),
    metrics: { contentType: metricsContentType, text: () => reports.metricsText() },
    onProblem: (kind) => metrics.problem(kind),
    bounds: () => room.bounds(),
    boundChanged: () => events.changed(),
    validateReplyUrl: (url) => workers.validateReplyUrl(url),
    channelTarget: (channel, to) => channels.targetOf(channel, to),
    fetchFile: (url) => workers.fileFetcher.fetch(url),
    retryAfterSeconds: (limit) => workers.dispatcher.retryAfterSeconds(limit),
    actions: workers.actions,
    questions: workers.questions,
    people: workers.peopleActions,
    sessions: workers.sessions,
  });
  await http.prepare();
  return http;
}

function openAiSettings({ openai }: Configuration): OpenAiSettings {
  return {
    isEnabled: openai.enabled,
    sessionHeaders: openai.session_headers,
    chatHeaders: openai.chat_headers,
    expireMs: openai.expire,
    bodyLimitBytes: openai.body_limit,
  };
}
