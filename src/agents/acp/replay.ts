import type { AgentRequest } from '../agent.js';
import { contentText, membersOf } from './updates.js';

/** The replay of a session is over once nothing came for so long. Some agents send it behind their answer. */
const quietMs = 200;
/** The same, as long as it has not told the last turn that the gateway knows of. */
const quietBeforeLastTurnMs = 1_500;
const longestMs = 5_000;

/** Characters of the end of a text that are looked for, and of a replay that are remembered. */
const lookedForCharacters = 1_000;
const rememberedCharacters = 1_000_000;

/** The last turn of a session, which agents tell at the end of a replay. */
export interface LastTurn {
  readonly prompt: string;
  /** Empty: it was cut off, or its reply has no text. */
  readonly reply: string;
}

/** The turn that the agent's session ended with; null: the gateway knows of none. */
export async function lastTurnOf(request: AgentRequest): Promise<LastTurn | null> {
  if (request.attempt > 1 || request.putBacks > 0) return { prompt: request.text, reply: '' };
  const [last] = await request.history(1);
  return last === undefined ? null : { prompt: last.text, reply: last.reply.text };
}

/** The messages that an agent tells of a session as it opens it again (ACP, "Loading Sessions"). */
export class Replay {
  #updates = 0;
  #hasMessages = false;
  #said = '';

  constructor(private readonly lastTurn: LastTurn | null) {}

  /** True if it has told a message. */
  get hasMessages(): boolean {
    return this.#hasMessages;
  }

  take(update: unknown): void {
    const { sessionUpdate, content } = membersOf(update);
    this.#updates += 1;
    if (sessionUpdate !== 'agent_message_chunk' && sessionUpdate !== 'user_message_chunk') return;
    this.#hasMessages = true;
    this.#said = (this.#said + withoutSpace(contentText(content))).slice(-rememberedCharacters);
  }

  /** Resolves once it is over, as far as can be told: the protocol has no sign for that. */
  async end(): Promise<void> {
    const end = performance.now() + longestMs;
    let quietSince = performance.now();
    let updates = this.#updates;
    while (performance.now() < end) {
      const quiet = this.#hasToldLastTurn ? quietMs : quietBeforeLastTurnMs;
      const leftMs = quietSince + quiet - performance.now();
      if (leftMs <= 0) return;
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, quietMs)));
      if (this.#updates === updates) continue;
      updates = this.#updates;
      quietSince = performance.now();
    }
  }

  get #hasToldLastTurn(): boolean {
    if (this.lastTurn === null) return false;
    const prompt = endOf(this.lastTurn.prompt);
    const at = this.#said.lastIndexOf(prompt);
    return at !== -1 && this.#said.includes(endOf(this.lastTurn.reply), at + prompt.length);
  }
}

/** Agents tell a text in other pieces than it came in, with other spaces between. */
function withoutSpace(text: string): string {
  return text.replace(/\s+/g, '');
}

function endOf(text: string): string {
  return withoutSpace(text).slice(-lookedForCharacters);
}
