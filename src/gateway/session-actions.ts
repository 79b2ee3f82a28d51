import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { sessionDirectory } from '../agents/agent-directories.js';
import type { RouteAnswer, RouteQuestion, SessionOperations } from '../channels/surroundings.js';
import { type RouteRule, routeFor } from '../config/route-table.js';
import type { Log } from '../log/log.js';
import type { SessionSummary } from '../store/messages.js';
import type { Store } from '../store/store.js';
import { defaultAgent } from '../store/turns.js';
import { errorMessage } from '../text/failure-text.js';

export interface SessionActionsOptions {
  readonly store: Pick<Store, 'session' | 'history' | 'resetSession' | 'deleteSession' | 'setAgent'>;
  readonly log: Log;
  /** Cancels what waits and runs in the session. */
  readonly cancelSession: (session: string) => Promise<unknown>;
  /** The agents' own directory, below which each session has one. */
  readonly agentDirectory: string;
  readonly agents: () => readonly string[];
  readonly routes: () => readonly RouteRule[];
  /** The session was reset or deleted: agents end what runs for it between turns. */
  readonly onEnd: (session: string) => void;
}

/** Messages of one step of a deletion. */
const messagesInStep = 500;
/** The longest wait for a turn that was cancelled, and between two looks at it, in milliseconds. */
const longestWaitMs = 20_000;
const pauseMs = 50;

/** Finds the agent of a session's next message. `known`: the session's agent; undefined: there is no such session. */
export function explainRoute(
  question: RouteQuestion,
  known: string | null | undefined,
  routes: readonly RouteRule[],
  agents: readonly string[],
): RouteAnswer {
  const answer = (agent: string, source: RouteAnswer['source'], route: number | null): RouteAnswer => ({
    agent,
    isConfigured: agents.includes(agent),
    source,
    route,
  });
  if (known !== undefined) return answer(known ?? defaultAgent, 'session', null);
  const rule = routeFor(routes, question);
  return rule === null
    ? answer(defaultAgent, 'default', null)
    : answer(rule.agent, 'route', routes.indexOf(rule) + 1);
}

/** The actions of people on sessions. Each is on disk when its promise resolves. */
export class SessionActions implements SessionOperations {
  readonly #options: SessionActionsOptions;

  constructor(options: SessionActionsOptions) {
    this.#options = options;
  }

  get agents(): readonly string[] {
    return this.#options.agents();
  }

  /** The routes choose its agent anew, for the latest message that has a reply. */
  async resetSession(session: string): Promise<SessionSummary | null> {
    const { store, routes, onEnd } = this.#options;
    const [latest] = await store.history(session, 1);
    const summary = await store.resetSession(session);
    if (summary === null) return null;
    onEnd(session);
    if (latest === undefined) return summary;
    const { channel, sender } = latest;
    const agent = routeFor(routes(), { channel, session, sender })?.agent ?? defaultAgent;
    return agent === (summary.agent ?? defaultAgent) ? summary : store.setAgent(session, agent);
  }

  async deleteSession(session: string): Promise<'deleted' | 'busy' | null> {
    const { store, cancelSession, onEnd } = this.#options;
    const deadline = performance.now() + longestWaitMs;
    for (;;) {
      const outcome = await store.deleteSession(session, messagesInStep);
      if (outcome === null) return null;
      if (outcome === 'deleted') break;
      if (outcome === 'more') continue;
      if (performance.now() > deadline) return 'busy';
      await cancelSession(session);
      await pause(pauseMs);
    }
    onEnd(session);
    await this.#removeDirectory(session);
    return 'deleted';
  }

  setAgent(session: string, agent: string | null): Promise<SessionSummary> {
    return this.#options.store.setAgent(session, agent);
  }

  async route(question: RouteQuestion): Promise<RouteAnswer> {
    const { store, routes } = this.#options;
    const summary = await store.session(question.session);
    return explainRoute(question, summary === null ? undefined : summary.agent, routes(), this.agents);
  }

  async #removeDirectory(session: string): Promise<void> {
    const path = sessionDirectory(this.#options.agentDirectory, session);
    try {
      await rm(path, { recursive: true, force: true });
    } catch (error) {
      this.#options.log.warning(
        `The directory ${path} of a deleted session could not be removed: ${errorMessage(error)}`,
        { SD_GATEWAY_SESSION: session },
      );
    }
  }
}
