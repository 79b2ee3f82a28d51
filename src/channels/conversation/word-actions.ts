import { hash } from 'node:crypto';
import type { Log } from '../../log/log.js';
import type { Store } from '../../store/store.js';
import { errorMessage } from '../../text/failure-text.js';
import { sessionOf } from '../session-name.js';
import type { AskedQuestion, OperatorActions, QuestionActions, SessionOperations } from '../surroundings.js';
import type { Role } from './roles.js';
import { type TextName, type Texts, textFor } from './texts.js';
import { type Approvals, type ChatWord, chatWords, mayUse, type SaidWord } from './words.js';

/** One use of a word. */
export interface WordUse {
  readonly conversation: string;
  /** The platform's id of the message; null: there is none. */
  readonly id: string | null;
  readonly person: string;
  readonly role: Role;
  readonly isGroup: boolean;
}

/** The gateway's part of the words. */
export interface WordSurroundings {
  readonly store: Pick<Store, 'session' | 'settledUpTo' | 'settledMessages' | 'message' | 'putRecord'>;
  readonly sessions: SessionOperations;
  readonly actions: Pick<OperatorActions, 'cancelMessage'>;
  readonly questions: QuestionActions;
}

export interface WordActionsOptions extends WordSurroundings {
  /** The channel's name. */
  readonly name: string;
  readonly texts: Texts;
  readonly log: Log;
  readonly approvals: Approvals;
}

/** Words that were done are remembered for so long: platforms repeat what was not acknowledged for a day. */
const rememberedMs = 2 * 86_400_000;
const wordKind = (channel: string) => `word:${channel}`;
/** Questions that one answer names. */
const mostQuestions = 5;

/** Has chat words done, by the same actions as the HTTP interface. */
export class WordActions {
  readonly #options: WordActionsOptions;

  constructor(options: WordActionsOptions) {
    this.#options = options;
  }

  /** Gives the answer; null: the word came before. Rejects, with nothing done, if the store can't tell. */
  async perform(said: SaidWord, use: WordUse): Promise<string | null> {
    if (!(await this.#isFirst(said, use))) return null;
    const { name, log } = this.#options;
    const session = sessionOf(name, use.conversation);
    try {
      return await this.#perform(said, use, session);
    } catch (error) {
      log.err(
        `The word /${said.word} of ${JSON.stringify(use.person)} was not done: ${errorMessage(error)}.`,
        {
          SD_GATEWAY_SESSION: session,
        },
      );
      return this.#text('failed');
    }
  }

  /** Noted before it is done: a crash in between loses the word, which its person sees. */
  async #isFirst({ word }: SaidWord, { conversation, id }: WordUse): Promise<boolean> {
    if (id === null) return true;
    const { store, name } = this.#options;
    const key = hash('sha256', JSON.stringify([conversation, id]));
    const noted = await store.putRecord(
      { kind: wordKind(name), key, value: word, expiresInMs: rememberedMs },
      null,
    );
    return noted.outcome === 'written';
  }

  async #perform(said: SaidWord, use: WordUse, session: string): Promise<string> {
    const { word, argument } = said;
    if (word === 'approve' || word === 'deny') {
      return argument === null ? this.#open(said, use, session) : this.#answer(said, use, session, argument);
    }
    const next = word === 'stop' ? await this.#next(session) : null;
    if (!this.#may(said, use, next !== null && next.sender === use.person)) return this.#text('not_allowed');
    switch (word) {
      case 'help':
        return this.#help(use);
      case 'status':
        return this.#status(session, use);
      case 'reset':
        return this.#reset(session, use);
      case 'stop':
        return this.#stop(next?.id ?? null);
      case 'agent':
        return argument === null ? this.#agent(session, use) : this.#setAgent(session, argument, use);
    }
  }

  #may(said: SaidWord, { role, isGroup }: WordUse, isOwnTurn: boolean): boolean {
    return mayUse(said, { role, isGroup, isOwnTurn, approvals: this.#options.approvals });
  }

  #help(use: WordUse): string {
    const may = (word: ChatWord, argument: string | null) => this.#may({ word, argument }, use, true);
    const lines = chatWords
      .filter((word) => may(word, null))
      .map((word) => {
        const line = this.#text(`help_${word}`);
        return word === 'agent' && may(word, 'NAME') ? `${line} ${this.#text('help_agent_name')}` : line;
      });
    return [this.#text('help'), ...lines].join('\n');
  }

  async #status(session: string, use: WordUse): Promise<string> {
    const summary = await this.#options.store.session(session);
    return this.#text('status', {
      agent: await this.#agentOf(session, use),
      running: this.#text(summary?.running === true ? 'yes' : 'no'),
      waiting: summary?.waiting ?? 0,
    });
  }

  async #reset(session: string, use: WordUse): Promise<string> {
    const { sessions, log } = this.#options;
    // With no message yet, it is as new as it can be.
    if ((await sessions.resetSession(session)) !== null) {
      log.notice(`Reset by ${JSON.stringify(use.person)}: the session "${session}".`, {
        SD_GATEWAY_SESSION: session,
      });
    }
    return this.#text('reset');
  }

  /** The message whose turn runs, or comes next. */
  async #next(session: string) {
    const { store } = this.#options;
    const { next } = await store.settledMessages(session, await store.settledUpTo(session), 1);
    return next === null ? null : store.message(next.id);
  }

  async #stop(id: string | null): Promise<string> {
    const cancelled = id === null ? null : await this.#options.actions.cancelMessage(id);
    return this.#text(cancelled?.outcome === 'cancelled' ? 'stopped' : 'nothing_to_stop');
  }

  async #agent(session: string, use: WordUse): Promise<string> {
    const now = this.#text('agent', { agent: await this.#agentOf(session, use) });
    if (use.role !== 'owner') return now;
    return `${now}\n${this.#text('agents', { agents: this.#options.sessions.agents.join(', ') })}`;
  }

  async #setAgent(session: string, agent: string, use: WordUse): Promise<string> {
    const { sessions, log } = this.#options;
    if (!sessions.agents.includes(agent)) {
      return this.#text('agent_unknown', { agent, agents: sessions.agents.join(', ') });
    }
    await sessions.setAgent(session, agent);
    log.notice(`Set by ${JSON.stringify(use.person)}: the agent ${agent} for the session "${session}".`, {
      SD_GATEWAY_SESSION: session,
    });
    return this.#text('agent_chosen', { agent });
  }

  async #agentOf(session: string, { person }: WordUse): Promise<string> {
    const { sessions, name } = this.#options;
    return (await sessions.route({ session, channel: name, sender: person })).agent;
  }

  /** Without a code nothing is answered: the question may be another one by now. */
  async #open(said: SaidWord, use: WordUse, session: string): Promise<string> {
    if (!this.#may(said, use, true)) return this.#text('not_allowed');
    const { items } = await this.#options.questions.list({ limit: 500, after: null });
    const open = items.filter(
      (question) =>
        question.session === session &&
        question.state === 'open' &&
        this.#may(said, use, this.#isAuthor(use, question)),
    );
    if (open.length === 0) return this.#text('no_question');
    return open
      .slice(0, mostQuestions)
      .map(({ code, title }) => this.#text('question', { code, title }))
      .join('\n');
  }

  /** A question of another conversation is none here. */
  async #answer(said: SaidWord, use: WordUse, session: string, code: string): Promise<string> {
    const { questions, log } = this.#options;
    const { word } = said;
    const asked = await questions.question(code);
    const isHere = asked?.session === session;
    if (!this.#may(said, use, !isHere || this.#isAuthor(use, asked))) return this.#text('not_allowed');
    if (!isHere) return this.#text('question_unknown');
    const answered = await questions.answer(code, word === 'approve' ? 'allow' : 'deny');
    if (answered === null) return this.#text('question_unknown');
    if (answered.outcome === 'too-late') return this.#text('question_closed');
    log.notice(`Question ${asked.code} was answered by ${JSON.stringify(use.person)}, with /${word}.`, {
      SD_GATEWAY_SESSION: session,
    });
    return this.#text(word === 'approve' ? 'approved' : 'denied', { title: asked.title });
  }

  #isAuthor({ person }: WordUse, { author }: AskedQuestion): boolean {
    return author !== null && author.channel === this.#options.name && author.id === person;
  }

  #text(name: TextName, values: Readonly<Record<string, string | number>> = {}): string {
    return textFor(this.#options.texts, name, values);
  }
}
