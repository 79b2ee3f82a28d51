import type { StoreCounts } from '../../store/messages.js';
import type { RunRecord } from '../../store/open-store.js';
import type { ConnectionFacts } from '../http/server/connections.js';

/** The progress of one part of the gateway. */
export interface PartFacts {
  /** "dispatcher", "deliverer", and where there is a watchdog "store" and "http". */
  readonly name: string;
  /** Milliseconds for which it has had something to do without getting on; 0 if it is idle or gets on. */
  readonly pendingFor: number;
  /** It holds the watchdog back. */
  readonly stalled: boolean;
}

/** A host that replies wait for, as it failed too often or has asked for time. */
export interface WaitingHost {
  /** Scheme, name and port. */
  readonly origin: string;
  /** "open": nothing is sent until `until`; "half-open": one attempt is under way; "held": as it asked, until `until`. */
  readonly state: string;
  readonly failures: number;
  /** Milliseconds since the Unix epoch. */
  readonly until: number | null;
}

/** The replies to one destination whose attempts have failed, and that are tried again. */
export interface RetriedFacts {
  /** Scheme, name and port, or a channel and its address. */
  readonly origin: string;
  readonly replies: number;
  /** The most attempts that one of them has had. */
  readonly attempts: number;
  /** The first failure that this gateway has seen of them, in milliseconds since the Unix epoch. */
  readonly since: number;
  /** The newest failure's reason. */
  readonly reason: string;
}

/** An agent, and if its program can be started or its server be reached. Times in milliseconds since the Unix epoch. */
export interface AgentFacts {
  readonly name: string;
  readonly type: string;
  /** "available", as far as is known; "held": it can't be started, and its messages wait. */
  readonly state: 'available' | 'held';
  /** Why it is held, since when, after how many starts that failed in a row, and when the next one comes. */
  readonly reason: string | null;
  readonly since: number | null;
  readonly failures: number;
  readonly nextAttemptAt: number | null;
}

/** A channel of the configuration. */
export interface ChannelFacts {
  readonly name: string;
  /** True if the gateway is not ready without it. */
  readonly required: boolean;
  /** True if it has a process of its own. Absent: it has none. */
  readonly isolated?: boolean;
  /** "starting", "up", "down" or "closed". */
  readonly state: string;
  /** Beginning of the state, in milliseconds since the Unix epoch. */
  readonly since: number;
  /** If it is down: what is wrong and what to do. */
  readonly reason: string | null;
  /** The last answer of its platform, in milliseconds since the Unix epoch. Absent: none is known. */
  readonly provenAt?: number;
}

/** A running turn that a process is part of. */
export interface CallerTurn {
  readonly turnId: string;
  readonly messageId: string;
  readonly session: string;
}

/** The facts that a running gateway tells of itself: to `status` and `doctor` through the control socket, in part at /readyz. */
export interface GatewayFacts {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  readonly uid: number;
  readonly instance: string | null;
  readonly unit: string | null;
  readonly invocationId: string | null;
  /** A state of the lifecycle: "starting", "ready", "reloading", "stopping", "stopped". */
  readonly state: string;
  /** The status line. */
  readonly status: string;
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly readyAt: number | null;
  /** One line: by whom it is supervised, and how that was found. */
  readonly supervision: string;
  readonly supervisionWarnings: readonly string[];
  /** The watchdog of the unit; null if it has none. */
  readonly watchdog: {
    /** WatchdogSec= in µs. */
    readonly microseconds: number;
    /** Since the last WATCHDOG=1, in ms; null: none yet. */
    readonly sinceLastPing: number | null;
  } | null;
  readonly parts: readonly PartFacts[];
  /** Delay of the event loop since the last look, in ms. */
  readonly eventLoopDelay: { readonly mean: number; readonly p99: number; readonly max: number };
  /** The reason why a part can't do its work, in one line. */
  readonly trouble: string | null;
  /** The connections; null while nothing listens yet, or no more. */
  readonly connections: ConnectionFacts | null;
  readonly reloadRefused: string | null;
  /** Changed settings that take effect at the next start. A gateway of an earlier version does not tell them. */
  readonly restartNeeded?: readonly string[];
  readonly waitingHosts: readonly WaitingHost[];
  /** A gateway of an earlier version does not tell them. */
  readonly retriedReplies?: readonly RetriedFacts[];
  readonly agents: readonly AgentFacts[];
  /** A gateway of an earlier version does not tell them. */
  readonly channels?: readonly ChannelFacts[];
  readonly work: StoreCounts | null;
  readonly listening: readonly string[];
  /** Resident memory in bytes; null: it can't be seen. */
  readonly residentMemory: number | null;
  readonly database: string;
  readonly configurationFile: string | null;
  /** Newest first; the first is this one. */
  readonly runs: readonly RunRecord[];
  /** The running turn that whoever asks is part of; null: none. */
  readonly callerTurn: CallerTurn | null;
}
