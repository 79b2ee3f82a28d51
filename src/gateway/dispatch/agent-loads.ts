import { type AgentSlots, defaultAgent } from '../../store/turns.js';
import type { AgentHolds } from './agent-holds.js';
import type { TurnAgents } from './agents.js';

/**
 * The turns of an agent that may run at the same time. With several agents none of them can take all slots, unless its
 * table says so.
 *
 * @param own the agent's own setting; null: it has none
 */
export function agentConcurrency(own: number | null, agents: number, concurrency: number): number {
  return own ?? (agents > 1 ? Math.ceil(concurrency / 2) : concurrency);
}

export interface AgentLoadsOptions {
  readonly agents: TurnAgents;
  readonly holds: AgentHolds;
  /** `dispatch.concurrency` */
  readonly concurrency: () => number;
}

/** Counts the turns of each agent that hold a slot, and says how many more it may have. */
export class AgentLoads {
  readonly #options: AgentLoadsOptions;
  readonly #turns = new Map<string, number>();

  constructor(options: AgentLoadsOptions) {
    this.#options = options;
  }

  /** A turn of the agent takes a slot. */
  taken(agent: string): void {
    this.#turns.set(agent, (this.#turns.get(agent) ?? 0) + 1);
  }

  /** A turn of the agent gives its slot back. */
  freed(agent: string): void {
    const left = (this.#turns.get(agent) ?? 0) - 1;
    if (left > 0) this.#turns.set(agent, left);
    else this.#turns.delete(agent);
  }

  /** True if the agent has more turns than it may: one of them began too early. */
  isExceeded(agent: string): boolean {
    return (this.#turns.get(agent) ?? 0) > this.#limit(agent);
  }

  /** The number of turns that may begin of all agents that are configured. */
  get free(): number {
    return this.#options.agents.names.reduce((sum, name) => sum + this.#slots(name), 0);
  }

  /** The slots of those agents that have fewer than `free`; undefined if there are none. */
  slots(free: number): AgentSlots | undefined {
    const { agents, holds } = this.#options;
    // A session may have an agent that the configuration has no more.
    const names = new Set([...agents.names, ...this.#turns.keys(), ...holds.held().keys()]);
    const scarce = [...names]
      .map((name) => [name, this.#slots(name)] as const)
      .filter(([, slots]) => slots < free);
    return scarce.length === 0 ? undefined : new Map(scarce);
  }

  #slots(agent: string): number {
    const left = Math.max(0, this.#limit(agent) - (this.#turns.get(agent) ?? 0));
    return this.#options.holds.of(agent).slots(left);
  }

  #limit(agent: string): number {
    const { agents, concurrency } = this.#options;
    const name = agent === defaultAgent ? null : agent;
    return agentConcurrency(agents.of(name).concurrency, agents.names.length, concurrency());
  }
}
