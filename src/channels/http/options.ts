import type { Log } from '../../log/log.js';
import type { NewMessage, QueueLimits } from '../../store/messages.js';
import type { Store } from '../../store/store.js';
import type { AcceptOutcome } from '../../store/turns.js';
import type { CallerTurn } from '../control/facts.js';
import type { Hooks } from '../hooks.js';
import type {
  ChannelTargetVerdict,
  MessageChanges,
  OperatorActions,
  PeopleOperations,
  QuestionActions,
  Readiness,
  ReplyUrlVerdict,
  SessionChanges,
  SessionOperations,
} from '../surroundings.js';
import type { AttachmentSettings } from './attachments/message-input.js';
import type { FetchFile } from './attachments/url-files.js';
import type { MetricsText } from './metrics-routes.js';
import type { OpenAiSettings } from './openai/settings.js';
import type { ProblemKind } from './problem.js';
import type { TurnReplies } from './reply-routes.js';
import type { ConnectionBounds } from './server/connection-bounds.js';
import type { HttpEndpoint } from './server/listen.js';
import type { SocketKeeper } from './server/socket-keeper.js';

/** May change with a reload. */
export interface HttpSettings {
  /** Longest wait for a reply, in milliseconds. */
  readonly waitLimit: number;
  readonly queue: QueueLimits;
  /** Links begin with it; null: they are paths. */
  readonly publicUrl: string | null;
  /** Address ranges of proxies that are believed whom they speak for. */
  readonly trustedProxies: readonly string[];
  /** Names of the configured channels: a post into a session of theirs needs a further right. */
  readonly channelNames: readonly string[];
  readonly attachments: AttachmentSettings;
}

export interface HttpChannelOptions {
  readonly store: Pick<
    Store,
    | 'message'
    | 'session'
    | 'setPolicy'
    | 'history'
    | 'sessions'
    | 'sessionMessages'
    | 'deadMessages'
    | 'settledMessages'
    | 'settledUpTo'
    | 'deltas'
    | 'record'
    | 'records'
    | 'putRecord'
    | 'deleteRecord'
    | 'putBlob'
    | 'openBlob'
    | 'removeBlob'
  >;
  /** Takes a message in; it is on disk when the promise resolves, and whoever has to know does. */
  readonly accept: (message: NewMessage, limits: QueueLimits) => Promise<AcceptOutcome>;
  readonly actions: OperatorActions;
  readonly questions: QuestionActions;
  readonly people: PeopleOperations;
  readonly sessions: SessionOperations;
  readonly changes: MessageChanges & SessionChanges;
  readonly log: Log;
  /** The operator's bearer token. Every request but those for health and readiness must have it, or a named one. */
  readonly token: string;
  /** The running turn that one of the processes belongs to, which are read if there is any; by default none. */
  readonly callerTurn?: (processes: () => Promise<readonly number[]>) => Promise<CallerTurn | null>;
  /** Replies of agents that come later; by default none are taken. */
  readonly turnReplies?: TurnReplies;
  /** Requests to channels; by default none takes any. */
  readonly hooks?: Hooks;
  /** The text that Prometheus reads; by default there is none. */
  readonly metrics?: MetricsText;
  /** Is told of each request that is answered with an error. */
  readonly onProblem?: (kind: ProblemKind) => void;
  /** Largest body, in bytes. */
  readonly bodyLimit: number;
  /** Read with each request. */
  readonly settings: () => HttpSettings;
  /** Settings of the OpenAI-compatible API, read with each request; by default it is not served. */
  readonly openAi?: () => OpenAiSettings;
  readonly readiness: () => Readiness;
  /** Fetches the file of a message from a URL. */
  readonly fetchFile: FetchFile;
  /** Tells if a reply may be posted to the URL. */
  readonly validateReplyUrl: (url: string) => ReplyUrlVerdict;
  /** Tells if a reply may go to this address of a channel. */
  readonly channelTarget: (channel: string, to: string) => ChannelTargetVerdict;
  /** Seconds after which a full queue may have room again. */
  readonly retryAfterSeconds: (limit: 'session' | 'total') => number;
  /** Gives the sockets to serve, once the channel starts. */
  readonly openSockets: () => Promise<SocketsToServe>;
  /** Keeps sockets beyond this process; by default none are kept. */
  readonly sockets?: SocketKeeper;
  /** The bounds of connections, asked for at each new one. */
  readonly bounds: () => ConnectionBounds;
  /** Connections have reached their bound, or no longer do. */
  readonly boundChanged?: () => void;
}

export interface SocketsToServe {
  readonly endpoints: readonly HttpEndpoint[];
  /** Connections that an earlier process kept. */
  readonly connections: readonly number[];
}
