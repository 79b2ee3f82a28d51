import type { AgentFinding } from '../agents/agent-finding.js';
import type { FactsAnswer } from '../channels/control/ask-facts.js';
import type { PortHolder } from '../channels/http/server/port-holder.js';
import type { StoppedJournald } from '../manager/journald.js';
import type { QueuedJob } from '../manager/queued-job.js';
import type { Scope } from '../manager/service-manager.js';
import type { RunRecord } from '../store/open-store.js';
import type { Integrity, StoreLog } from '../store/store-kind.js';
import { commandLine } from '../text/own-command.js';
import type { Drift } from '../units/drift.js';
import type { StartObstacle, UnitFileLine } from '../units/start-obstacles.js';

/** A fact, or why it could not be found out. */
export type Known<Fact> =
  | { readonly known: true; readonly value: Fact }
  | { readonly known: false; readonly why: string };

export interface ManagerFacts {
  /** sd_booted(3). */
  readonly booted: boolean;
  readonly version: number | null;
  /** The reason why the manager of this scope can’t be asked; null if it answers. */
  readonly unreachable: string | null;
}

/** Properties of the unit as `systemctl show` names them. */
export type UnitProperties = Readonly<Record<string, string>>;

export interface UnitFacts {
  readonly name: string;
  readonly properties: UnitProperties;
  /** When the manager was asked for them, in milliseconds of CLOCK_MONOTONIC. */
  readonly askedAt: number;
  /** The words of ExecStart=. */
  readonly command: readonly string[];
  /** Complaints of systemd-analyze verify. */
  readonly complaints: Known<readonly string[]>;
  /** Lines of its files that keep it from starting. */
  readonly obstacles: readonly StartObstacle[];
  /** Its job that systemd has not finished; null: none. */
  readonly job: QueuedJob | null;
  /** The difference from what this version writes; null if install does not write this unit. */
  readonly drift: Drift | null;
  /** User= of a unit of the system; null: none, or one that is made at the start (DynamicUser=). */
  readonly user: Known<{
    readonly name: string;
    /** Null: the user does not exist. */
    readonly uid: number | null;
    readonly exists: boolean;
    /** The line of a drop-in that names a user who doesn't exist; null: the unit itself does. */
    readonly dropIn: UnitFileLine | null;
  } | null>;
}

/** The gateway's directories. With `problems`, a line each, nobody can tell which they are; then these are the usual ones. */
export interface LocationFacts {
  readonly state: string;
  readonly runtime: string;
  readonly configuration: string;
  readonly problems: readonly string[];
}

export interface FileFacts {
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  readonly sizeBytes: number;
  readonly uid: number;
  readonly isDirectory: boolean;
  /** A regular file: no link, pipe or the like. */
  readonly isFile: boolean;
}

export interface DataFacts {
  readonly stateDirectory: Known<FileFacts | null>;
  readonly runtimeDirectory: Known<FileFacts | null>;
  /** A link that a unit with DynamicUser= left in place of the runtime directory; null if there is none. */
  readonly leftoverLink: string | null;
  readonly token: Known<FileFacts | null>;
  /** Entries of the state directory. */
  readonly entries: Known<readonly FileFacts[]>;
  /** The store; null if the first start has yet to make it. */
  readonly store: Known<{
    readonly name: string;
    /** Set if it was there and is gone: the start's complaint. */
    readonly lost?: string;
    readonly integrity: Known<Integrity>;
    /** Its log, and who reads the database; null if this kind of store has none. */
    readonly log: Known<StoreLog | null>;
  } | null>;
  readonly disk: Known<{
    readonly path: string;
    readonly freeBytes: number;
    readonly totalBytes: number;
    /** 0: the file system has no fixed number. */
    readonly totalInodes: number;
    readonly freeInodes: number;
  }>;
}

export interface NodeFacts {
  readonly file: string;
  readonly version: string;
  /** NODE_MODULE_VERSION. */
  readonly modules: string;
  /** The reason why the addon can’t be loaded; null if it can. */
  readonly addon: string | null;
  readonly sqlite: string | null;
}

export interface ConfigurationFacts {
  readonly file: string | null;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly supervisor: 'auto' | 'container';
  /** stop.drain in ms. */
  readonly drain: number;
  /** TCP port to listen on; null: something else. */
  readonly port: number | null;
  readonly listen: string;
}

/** The outcome of a look at one agent. */
export interface AgentAccess {
  /** In the configuration. */
  readonly name: string;
  /** The agent's program; null if there is none, or it is below the session's directory. */
  readonly program: {
    readonly name: string;
    /** The file; null if the agent's PATH does not have it. */
    readonly path: string | null;
    /** The file or directory that the user may not execute or enter; null if there is none. */
    readonly denied: string | null;
    /** The unit's setting that hides it from the gateway; absent: none does. */
    readonly hidden?: string;
  } | null;
  /** The outcome of a trial of it; empty if there was none. */
  readonly findings: readonly AgentFinding[];
}

/** Rights of the user that runs the gateway to the files that it needs. */
export interface AccessFacts {
  readonly user: string;
  readonly agents: readonly AgentAccess[];
  /** The file or directory that keeps the user from reading the configuration; null if there is none. */
  readonly configuration: string | null;
}

/** Rights of a channel's bot, as its platform says. */
export type PlatformAccess = { readonly name: string } & (
  | {
      /** Rights that the configuration needs and the bot does not have; null: none. */
      readonly lacks:
        | { readonly kind: 'scopes'; readonly scopes: string }
        | { readonly kind: 'message-content' }
        | null;
    }
  | {
      /** The reason why nobody knows. It holds no token. */
      readonly untold: string;
    }
);

export interface PortFacts {
  readonly holders: readonly PortHolder[];
  /** Main processes of the unit, right before and after the look: a unit in a loop has a new one each time. */
  readonly mainPids: readonly number[];
  /** Addresses at which the gateway says that it listens, in another network namespace than this one. */
  readonly elsewhere: readonly string[];
}

/** A start or a stop as the journal has it. */
export interface HistoryEvent {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly kind:
    | 'starting'
    | 'started'
    | 'start-failed'
    | 'stop'
    | 'foreign-kill'
    | 'crash'
    | 'failed'
    | 'stall';
  readonly text: string;
  readonly invocation: string | null;
}

export interface JournalFacts {
  /** Newest last. */
  readonly events: readonly HistoryEvent[];
  /** Durations of the last stops, in ms, newest last. */
  readonly drains: readonly number[];
  /** SD_GATEWAY_SUPERVISION of the present invocation. */
  readonly supervision: string | null;
  /** journald’s records that it dropped some of the unit’s. */
  readonly suppressed: readonly string[];
  /** True if this user may read the journal with the unit’s records; null if there is no journal. */
  readonly mayRead: boolean | null;
}

export interface JournaldFacts {
  /** Why it takes no record; null: it does. */
  readonly stopped: StoppedJournald | null;
  /** Storage= in force. */
  readonly storage: string;
  readonly persistentDirectory: boolean;
  readonly rateLimitBurst: string | null;
  readonly rateLimitInterval: string | null;
}

/** All that the checks look at. */
export interface DoctorFacts {
  /** When the gateway was asked, in milliseconds since the Unix epoch. */
  readonly at: number;
  readonly scope: Scope;
  readonly instance: string | null;
  readonly uid: number;
  readonly user: string;
  readonly manager: ManagerFacts;
  /** The unit; null if there is none. */
  readonly unit: Known<UnitFacts | null>;
  readonly linger: Known<boolean> | null;
  readonly configuration: Known<ConfigurationFacts>;
  readonly node: Known<NodeFacts>;
  /** Channels of Slack and Discord. */
  readonly platforms: readonly PlatformAccess[];
  readonly places: LocationFacts;
  readonly data: DataFacts;
  readonly port: Known<PortFacts> | null;
  readonly journal: Known<JournalFacts>;
  readonly journald: Known<JournaldFacts>;
  /** The gateway's own records of its runs, newest first. */
  readonly runs: Known<readonly RunRecord[]>;
  readonly access: Known<AccessFacts>;
  /** The variables that the manager gives to every unit (systemctl show-environment). */
  readonly managerEnvironment: Known<Readonly<Record<string, string>>>;
  /** Facts from the gateway itself. */
  readonly gateway: FactsAnswer;
}

export function known<Fact>(value: Fact): Known<Fact> {
  return { known: true, value };
}

export function unknown(why: string): { readonly known: false; readonly why: string } {
  return { known: false, why };
}

/** The unit, where there is one that can be started. */
export function unitOf(facts: DoctorFacts): UnitFacts | null {
  return facts.unit.known ? facts.unit.value : null;
}

/** A command of systemctl for the person who reads it. */
export function systemctl(facts: Pick<DoctorFacts, 'scope' | 'uid'>, words: string): string {
  if (facts.scope === 'user') return `systemctl --user ${words}`;
  return `${facts.uid === 0 ? '' : 'sudo '}systemctl ${words}`;
}

export function asRoot(facts: Pick<DoctorFacts, 'uid'>, command: string): string {
  return facts.uid === 0 ? command : `sudo ${command}`;
}

/** The words that name this gateway to sd-gateway itself. */
export function gatewayCommand(
  facts: Pick<DoctorFacts, 'scope' | 'uid' | 'instance'>,
  words: string,
): string {
  const isDefault = (facts.uid === 0) === (facts.scope === 'system');
  return commandLine(words, { scope: isDefault ? null : facts.scope, instance: facts.instance });
}
