import {
  type Agent,
  AgentError,
  type AgentEvent,
  type AgentReply,
  type AgentRequest,
} from '../../../src/agents/agent.js';
import type { AgentEnd, TurnsModel } from './turns-model.js';

/** One turn at its agent. */
export interface Run {
  readonly request: AgentRequest;
  readonly signal: AbortSignal;
  /** Nothing happens where it has ended already. */
  end(how: 'reply' | 'retry' | 'never'): void;
}

/** The agents of all gateways: their turns end when the history says so, and the model is told of each. */
export class WatchedAgents {
  /** Messages whose agent does not end when it is told to, but when the history says so. */
  readonly lingers = new Set<string>();
  readonly #model: TurnsModel;
  readonly #concurrency: number;
  readonly #agents: WatchedAgent[] = [];
  #willing = false;

  constructor(model: TurnsModel, concurrency: number) {
    this.#model = model;
    this.#concurrency = concurrency;
  }

  get runs(): readonly Run[] {
    return this.#agents.flatMap((agent) => agent.runs);
  }

  /** From now on they end by themselves. */
  replyToAll(): void {
    this.#willing = true;
    for (const run of this.runs) run.end('reply');
  }

  start(owner: string): WatchedAgent {
    const agent = new WatchedAgent(this.#model, owner, (run) => this.#begins(agent, run));
    this.#agents.push(agent);
    return agent;
  }

  #begins(agent: WatchedAgent, { request, signal, end }: Run): void {
    const { session, seq, messageId } = request;
    const beside = this.runs.filter((run) => run.request.session === session).length - 1;
    this.#model.must(beside === 0, `${session} ${seq} began while another turn of its session ran`);
    const running = agent.runs.length;
    this.#model.must(running <= this.#concurrency, `${running} turns ran, and ${this.#concurrency} may`);
    signal.addEventListener('abort', () => {
      if (!this.lingers.has(messageId)) end('retry');
    });
    if (this.#willing) setImmediate(() => end('reply'));
  }
}

/** The agent of one gateway. */
export class WatchedAgent implements Agent {
  readonly type = 'watched';
  readonly runs: Run[] = [];
  readonly #model: TurnsModel;
  readonly #owner: string;
  readonly #onBegin: (run: Run) => void;
  readonly #cancelled = new Set<string>();
  #gone = false;

  constructor(model: TurnsModel, owner: string, onBegin: (run: Run) => void) {
    this.#model = model;
    this.#owner = owner;
    this.#onBegin = onBegin;
  }

  async *run(request: AgentRequest, signal: AbortSignal): AsyncGenerator<AgentEvent> {
    yield { type: 'end', reply: await this.#turn(request, signal) };
  }

  #turn(request: AgentRequest, signal: AbortSignal): Promise<AgentReply> {
    return new Promise((resolve, reject) => {
      if (this.#gone) return;
      const run: Run = {
        request,
        signal,
        end: (how) => {
          const place = this.runs.indexOf(run);
          if (place === -1) return;
          this.runs.splice(place, 1);
          const end = endOf(run, how);
          this.#model.ended(request, end);
          const reason = end.how === 'cut off' ? 'cancelled' : 'failed';
          if (how === 'reply') resolve({ text: end.text, metadata: {} });
          else reject(new AgentError(reason, end.text, how === 'retry'));
        },
      };
      const { session, seq, messageId } = request;
      this.#model.must(!this.#cancelled.has(messageId), `${session} ${seq} began after it was cancelled`);
      this.#model.begun(this.#owner, request);
      this.runs.push(run);
      this.#onBegin(run);
    });
  }

  /** By its own gateway: their turns do not begin here any more, and were told to end. */
  answeredAsCancelled(messages: readonly { readonly id: string }[]): void {
    for (const { id } of messages) {
      this.#cancelled.add(id);
      const run = this.runs.find(({ request }) => request.messageId === id);
      const told = run === undefined || run.signal.aborted;
      this.#model.must(told, `"${run?.request.text}" was cancelled, and its agent was not told to end`);
    }
  }

  /** With its gateway. */
  goes(): void {
    this.#gone = true;
    this.runs.length = 0;
  }
}

function endOf({ request, signal }: Run, how: 'reply' | 'retry' | 'never'): AgentEnd {
  const turn = `attempt ${request.attempt} of ${request.messageId}`;
  if (how === 'reply') return { how, text: `the reply of ${turn}`, signal };
  if (signal.aborted) return { how: 'cut off', text: `The agent was told to end ${turn}.`, signal };
  return { how, text: `The program failed at ${turn}.`, signal };
}
