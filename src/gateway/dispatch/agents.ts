import { type Agent, AgentError } from '../../agents/agent.js';
import type { AgentConfiguration } from '../../config/agent-table.js';
import type { AgentConfigurations } from '../../config/schema.js';

/** The agent of a turn, and what the dispatcher needs to know of its table. */
export interface TurnAgent {
  /** In the configuration. */
  readonly name: string;
  readonly agent: Agent;
  /** Longest time of one turn, in milliseconds. */
  readonly timeout: number;
  /** True if a turn that has begun may be run again. */
  readonly repeatable: boolean;
  /** Turns that run at the same time, by its own table; null: it says nothing. */
  readonly concurrency: number | null;
}

/** The agents that a dispatcher runs turns on. */
export interface TurnAgents {
  /** The agent of that name. A session that began before it had an agent has none (null), and gets the default one. */
  of(name: string | null): TurnAgent;
  /** A turn of the agent begins. */
  begun(agent: TurnAgent): void;
  /** A turn of the agent has ended. */
  ended(agent: TurnAgent): void;
  /** Names of the agents that are configured. */
  readonly names: readonly string[];
}

type CreateAgent = (configuration: AgentConfiguration, name: string) => Agent;

/** The agents by the names of their tables. A reload makes those anew whose table has changed; turns that run keep theirs. */
export class Agents implements TurnAgents {
  readonly #create: CreateAgent;
  readonly #onCloseFailed: (name: string, error: unknown) => void;
  #byName: ReadonlyMap<string, MadeAgent>;

  constructor(
    create: CreateAgent,
    tables: AgentConfigurations,
    onCloseFailed: (name: string, error: unknown) => void = () => undefined,
  ) {
    this.#create = create;
    this.#onCloseFailed = onCloseFailed;
    this.#byName = this.#made(tables, new Map());
  }

  configure(tables: AgentConfigurations): void {
    const before = this.#byName;
    this.#byName = this.#made(tables, before);
    for (const [name, made] of before) if (this.#byName.get(name) !== made) void this.#retire(made);
  }

  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  of(name: string | null): TurnAgent {
    return this.#byName.get(name ?? 'default') ?? missingAgent(String(name));
  }

  begun(agent: TurnAgent): void {
    if (agent instanceof MadeAgent) agent.turns += 1;
  }

  ended(agent: TurnAgent): void {
    if (!(agent instanceof MadeAgent)) return;
    agent.turns -= 1;
    if (agent.isRetired) void this.#close(agent);
  }

  /** The session was reset or deleted. */
  endSession(session: string): void {
    for (const { agent } of this.#byName.values()) agent.endSession?.(session);
  }

  /** Ends what agents run between turns. */
  async close(): Promise<void> {
    await Promise.all([...this.#byName.values()].map((made) => this.#retire(made)));
  }

  #retire(made: MadeAgent): Promise<void> {
    made.isRetired = true;
    return this.#close(made);
  }

  async #close(made: MadeAgent): Promise<void> {
    if (made.turns > 0 || made.isClosed) return;
    made.isClosed = true;
    try {
      await made.agent.close?.();
    } catch (error) {
      this.#onCloseFailed(made.name, error);
    }
  }

  #made(tables: AgentConfigurations, before: ReadonlyMap<string, MadeAgent>): ReadonlyMap<string, MadeAgent> {
    return new Map(
      Object.entries(tables).map(([name, table]) => {
        const known = before.get(name);
        const isSame = known !== undefined && JSON.stringify(known.table) === JSON.stringify(table);
        return [name, isSame ? known : new MadeAgent(name, this.#create(table, name), table)];
      }),
    );
  }
}

class MadeAgent implements TurnAgent {
  /** Turns that run. */
  turns = 0;
  /** No further turn begins. */
  isRetired = false;
  isClosed = false;

  constructor(
    readonly name: string,
    readonly agent: Agent,
    readonly table: AgentConfiguration,
  ) {}

  get timeout(): number {
    return this.table.timeout;
  }

  get concurrency(): number | null {
    return this.table.concurrency;
  }

  get repeatable(): boolean {
    return this.table.retry === 'always';
  }
}

/** Stands for an agent that a session has and the configuration has no more. Its turns wait, as if it could not be started. */
function missingAgent(name: string): TurnAgent {
  const failure = new AgentError(
    'unavailable',
    `The session's agent "${name}" is not in the configuration: add [agents.${name}] again, or give the session another agent.`,
    true,
  );
  return {
    name,
    agent: {
      type: 'missing',
      // biome-ignore lint/correctness/useYield: it fails before its first event.
      async *run() {
        throw failure;
      },
    },
    timeout: 1_000,
    repeatable: true,
    concurrency: null,
  };
}
