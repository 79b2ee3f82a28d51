import { type Agent, AgentError } from '../agents/agent.js';
import type { AgentConfiguration } from '../config/agent-table.js';
import type { AgentConfigurations } from '../config/schema.js';

/** The agent of a turn, and what the dispatcher needs to know of its table. */
export interface TurnAgent {
  readonly agent: Agent;
  /** Longest time of one turn, in milliseconds. */
  readonly timeout: number;
  /** True if a turn that has begun may be run again. */
  readonly repeatable: boolean;
}

/** The agents by the names of their tables. A reload makes new ones; turns that run keep theirs. */
export class Agents {
  readonly #create: (configuration: AgentConfiguration) => Agent;
  #byName: ReadonlyMap<string, TurnAgent>;

  constructor(create: (configuration: AgentConfiguration) => Agent, tables: AgentConfigurations) {
    this.#create = create;
    this.#byName = this.#made(tables);
  }

  configure(tables: AgentConfigurations): void {
    this.#byName = this.#made(tables);
  }

  /** Null, of a session that began before it had an agent, is the default one. */
  of(name: string | null): TurnAgent {
    return this.#byName.get(name ?? 'default') ?? missingAgent(String(name));
  }

  #made(tables: AgentConfigurations): ReadonlyMap<string, TurnAgent> {
    return new Map(
      Object.entries(tables).map(([name, table]) => [
        name,
        { agent: this.#create(table), timeout: table.timeout, repeatable: table.retry === 'always' },
      ]),
    );
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
    agent: {
      type: 'missing',
      // biome-ignore lint/correctness/useYield: it fails before its first event.
      async *run() {
        throw failure;
      },
    },
    timeout: 1_000,
    repeatable: true,
  };
}
