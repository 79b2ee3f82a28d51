import type { LogFields } from '../../log/log.js';
import type { AgentError } from '../agent.js';
import type { AgentGroup } from '../agent-groups.js';
import type { RpcConnection, RpcHandlers } from './rpc.js';

export type LinkHandlers = Pick<RpcHandlers, 'request' | 'notification'>;

/** An agent that runs and speaks ACP, which lives from turn to turn. */
export interface AgentLink {
  /** Null: it is no process of the gateway's. */
  readonly pid: number | null;
  /** The control group of its own; null: it has none. */
  readonly group: AgentGroup | null;
  readonly connection: RpcConnection;
  /** Resolves with the reason once nothing of it is left. */
  readonly ended: Promise<AgentError>;
  /** False once it ends, or has ended. */
  readonly isUsable: boolean;
  /** A turn begins: from now on records are about it, and have room again. */
  turnBegins(fields: LogFields): void;
  /** The turn is over: ends what it has left behind. What the agent holds as its own stays. */
  turnEnds(): Promise<void>;
  /** The end of its standard error, for an error text; empty if it wrote nothing. */
  said(): string;
  /** Ends it because of that. */
  fail(failure: AgentError): void;
  /** Closes its standard input, on which it may end by itself; after `gentleMs` it is ended. */
  end(gentleMs: number): void;
}
