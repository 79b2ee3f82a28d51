import type { AgentFacts, ChannelFacts } from '../../channels/control/facts.js';
import type { ConnectionFacts } from '../../channels/http/server/connections.js';
import type { StoreCounts } from '../../store/messages.js';
import type { StoreFigures } from '../../store/open-store.js';
import type { DelayFacts } from '../supervisor/probes.js';
import { counter, type Family, gauge, type Sample } from './exposition.js';
import { timeSamples } from './instruments.js';
import type { ProcessFigures } from './process-figures.js';

/** The gateway as a scrape finds it. What is null could not be told in time, and has no series. */
export interface ScrapedGateway {
  readonly version: string;
  readonly node: string;
  readonly state: string;
  readonly ready: boolean;
  readonly stalledParts: number;
  readonly reloadRefused: boolean;
  readonly restartNeeded: boolean;
  /** Turns of the run before that were put back, and that it left running. */
  readonly putBackBefore: number;
  readonly resumed: number;
  /** The opened parts; null until all are. */
  readonly runtime: ScrapedParts | null;
  readonly work: ScrapedWork | null;
  readonly counts: StoreCounts | null;
  readonly figures: StoreFigures | null;
  /** Measured from the first scrape on, which has null. */
  readonly delay: DelayFacts | null;
  readonly process: ProcessFigures;
  /** The time of the last reply that was delivered by a channel, in milliseconds since the Unix epoch. */
  readonly sentAt: (channel: string) => number | null;
}

/** The opened parts. */
export interface ScrapedParts {
  /** False if the store is known to refuse new messages. */
  readonly takesMessages: boolean;
  /** Hosts that replies wait for. */
  readonly circuits: readonly object[];
  readonly agents: readonly AgentFacts[];
  readonly channels: readonly ChannelFacts[];
  readonly connections: ConnectionFacts | null;
}

/** Work under way, and messages that have ended as dead since the start. */
export interface ScrapedWork {
  readonly running: number;
  readonly sending: number;
  readonly deadTurns: number;
  readonly deadDeliveries: number;
}

const states = ['starting', 'ready', 'reloading', 'stopping', 'stopped'];

/** All that is not counted as it happens, but looked at when somebody asks. */
export function gauges(facts: ScrapedGateway): readonly Family[] {
  const { version, node, state } = facts;
  return [
    gauge('sd_gateway_build_info', 'Always 1; the version of the gateway and of its Node.js.', [
      { labels: { version, node }, value: 1 },
    ]),
    gauge(
      'sd_gateway_state',
      '1 for the present state of the lifecycle.',
      states.map((each) => ({ labels: { state: each }, value: bit(each === state) })),
    ),
    gauge('sd_gateway_ready', '1 while the gateway takes messages, as GET /readyz says.', bit(facts.ready)),
    gauge(
      'sd_gateway_stalled_parts',
      'Parts that make no progress and hold the watchdog back.',
      facts.stalledParts,
    ),
    gauge(
      'sd_gateway_reload_refused',
      '1 if the last reload was refused, and the configuration before it is in force.',
      bit(facts.reloadRefused),
    ),
    gauge(
      'sd_gateway_restart_needed',
      '1 if settings have changed that take effect at the next start.',
      bit(facts.restartNeeded),
    ),
    gauge(
      'sd_gateway_previous_run_put_back_turns',
      'Turns that the stop of the run before cut off and put back.',
      facts.putBackBefore,
    ),
    gauge(
      'sd_gateway_resumed_turns',
      'Turns that the run before had left running, as after a crash, and that were queued again.',
      facts.resumed,
    ),
    ...workFamilies(facts),
    ...storeFamilies(facts),
    ...partFamilies(facts),
    ...processFamilies(facts),
  ];
}

function workFamilies({ work, counts, figures }: ScrapedGateway): readonly Family[] {
  const ofWork =
    work === null
      ? []
      : [
          gauge('sd_gateway_turns_running', 'Turns that run.', work.running),
          gauge('sd_gateway_deliveries_sending', 'Replies that are being sent.', work.sending),
          counter('sd_gateway_messages_dead_total', 'Messages that ended as dead, by what failed.', [
            { labels: { by: 'turn' }, value: work.deadTurns },
            { labels: { by: 'delivery' }, value: work.deadDeliveries },
          ]),
        ];
  if (counts === null) return ofWork;
  const { sessions, undelivered, ...byState } = counts;
  return [
    ...ofWork,
    gauge('sd_gateway_sessions', 'Sessions in the store.', sessions),
    gauge(
      'sd_gateway_messages',
      'Messages in the store, by their state. Those that are queued are the depth of the queue.',
      Object.entries(byState).map(([state, value]) => ({ labels: { state }, value })),
    ),
    gauge('sd_gateway_deliveries_pending', 'Replies and notices that have to be delivered.', undelivered),
    ...(figures === null
      ? []
      : [
          gauge(
            'sd_gateway_queue_oldest_age_seconds',
            'Age of the oldest message that waits for its turn; 0 if none waits.',
            (figures.longestWaitMs ?? 0) / 1_000,
          ),
        ]),
  ];
}

function storeFamilies({ runtime, counts, figures }: ScrapedGateway): readonly Family[] {
  return [
    gauge(
      'sd_gateway_store_up',
      '1 if the store answered this scrape within a second. If not, its series are missing.',
      bit(counts !== null),
    ),
    ...(runtime === null
      ? []
      : [
          gauge(
            'sd_gateway_store_takes_messages',
            '0 while the store is known to refuse new messages, as on a full disk.',
            bit(runtime.takesMessages),
          ),
        ]),
    ...(figures === null
      ? []
      : [
          counter(
            'sd_gateway_store_operations_total',
            'Operations that the store committed.',
            figures.operations,
          ),
          {
            name: 'sd_gateway_store_commit_duration_seconds',
            help: 'Time of commits until they are on disk, most of which is the fsync.',
            type: 'histogram' as const,
            samples: timeSamples(figures.commitTime),
          },
        ]),
  ];
}

function partFamilies({ runtime, sentAt }: ScrapedGateway): readonly Family[] {
  if (runtime === null) return [];
  const { channels, agents, circuits, connections } = runtime;
  return [
    gauge(
      'sd_gateway_channel_up',
      '1 while the channel is connected.',
      channels.map(({ name, state }) => ({ labels: { channel: name }, value: bit(state === 'up') })),
    ),
    gauge(
      'sd_gateway_channel_last_round_trip_timestamp_seconds',
      'Time of the last answer of the platform, or of the last reply that it took.',
      channels.flatMap((channel) => roundTrip(channel, sentAt(channel.name))),
    ),
    gauge(
      'sd_gateway_agent_held',
      '1 while the agent can not be started or reached, and its messages wait.',
      agents.map(({ name, state }) => ({ labels: { agent: name }, value: bit(state === 'held') })),
    ),
    gauge('sd_gateway_hosts_waiting', 'Hosts that replies wait for, as they failed.', circuits.length),
    ...(connections === null
      ? []
      : [
          gauge('sd_gateway_http_connections', 'HTTP connections that are open.', connections.open),
          gauge('sd_gateway_http_connections_limit', 'HTTP connections that may be open.', connections.bound),
        ]),
  ];
}

function roundTrip({ name, provenAt }: ChannelFacts, sentAt: number | null): readonly Sample[] {
  // The silence of a channel that asks nothing of its platform shows nothing.
  if (provenAt === undefined) return [];
  return [{ labels: { channel: name }, value: Math.max(provenAt, sentAt ?? 0) / 1_000 }];
}

function processFamilies({ delay, process }: ScrapedGateway): readonly Family[] {
  const { openDescriptors, mostDescriptors, residentBytes } = process;
  return [
    ...(delay === null
      ? []
      : [
          gauge(
            'sd_gateway_event_loop_delay_mean_seconds',
            'Mean delay of the event loop since the scrape before.',
            delay.mean / 1_000,
          ),
          gauge(
            'sd_gateway_event_loop_delay_p99_seconds',
            '99th percentile of the delay of the event loop since the scrape before.',
            delay.p99 / 1_000,
          ),
          gauge(
            'sd_gateway_event_loop_delay_max_seconds',
            'Largest delay of the event loop since the scrape before.',
            delay.max / 1_000,
          ),
        ]),
    counter(
      'sd_gateway_event_loop_active_seconds_total',
      'Time for which the event loop was busy.',
      process.loopActiveSeconds,
    ),
    gauge('sd_gateway_heap_used_bytes', 'Memory of V8 that is in use.', process.heapUsedBytes),
    counter('process_cpu_seconds_total', 'CPU time of the process, user and system.', process.cpuSeconds),
    gauge('process_start_time_seconds', 'Start of the process, since the Unix epoch.', process.startSeconds),
    ...(residentBytes === null
      ? []
      : [gauge('process_resident_memory_bytes', 'Resident memory.', residentBytes)]),
    ...(openDescriptors === null
      ? []
      : [gauge('process_open_fds', 'File descriptors that are open.', openDescriptors)]),
    ...(mostDescriptors === null
      ? []
      : [gauge('process_max_fds', 'File descriptors that may be open.', mostDescriptors)]),
  ];
}

function bit(value: boolean): number {
  return value ? 1 : 0;
}
