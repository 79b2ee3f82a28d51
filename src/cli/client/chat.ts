import { createInterface, type Interface } from 'node:readline';
import { errorMessage } from '../../text/failure-text.js';
import { EncodingError, linesOf } from '../../text/lines.js';
import { ownCommand } from '../../text/own-command.js';
import { commandStatus } from '../command.js';
import { printable, type Terminal, terminalOf } from '../terminal.js';
import type { ParsedCommand } from '../usage.js';
import { askGateway, refused } from './access.js';
import { answerIn, type QuestionAnswer, questionText, type WaitingQuestion } from './chat-questions.js';
import { Conversation, type TurnListener, type TurnOutcome } from './conversation.js';
import { replyFileLines } from './messages.js';
import { unreadableOf } from './send.js';

const defaultSession = 'cli';
/** Turns of the session that are shown at the beginning. */
const shownTurns = 5;

const help = [
  '/approve CODE  let the agent do what it asks for, also while its turn runs',
  '/deny CODE     do not let it',
  '/reset         begin the session anew: the agent remembers nothing',
  '/agent NAME    choose the agent of the session',
  '/file PATH     send a file with the next message',
  '/quit          end the chat, as Ctrl-D does',
  '//TEXT         send a line that begins with "/"',
].join('\n');

const asChatWord = (answer: string) => `/${answer}`;

/** Talks with the agent of a session. */
export async function chat(parsed: ParsedCommand): Promise<number> {
  const session = parsed.values['session'] ?? defaultSession;
  return askGateway(parsed, async (client) => {
    const conversation = new Conversation(client, session);
    const history = await conversation.history(shownTurns);
    if (history.status === 401) return null;
    if (history.status !== 200 && history.status !== 404) return refused(history, `to show ${session}`);
    if (process.stdin.isTTY !== true) return new PipedChat(conversation).run();
    const turns = (history.body?.['items'] ?? []) as readonly Turn[];
    return new TerminalChat(conversation, terminalOf(parsed), session).run(turns);
  });
}

/** A turn of the history, as the gateway tells it. */
interface Turn {
  readonly text: string;
  readonly reply: { readonly text: string } | null;
}

function reasonOf({ id, state, text }: TurnOutcome): string {
  switch (state) {
    case 'unfollowed':
      return `the message is accepted as ${id}; its reply can’t be waited for: ${text}`;
    case 'cancelled':
      return 'cancelled';
    case 'refused':
      return `the gateway refused the message: ${text}`;
    default:
      return `the message is dead: ${text}`;
  }
}

/**
 * Each line of standard input is a message; only the replies are printed. No line answers a question: what comes from a pipe
 * may be another agent's words.
 */
class PipedChat {
  constructor(private readonly conversation: Conversation) {}

  async run(): Promise<number> {
    try {
      return await this.#sayLines();
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      process.stderr.write(
        `sd-gateway: standard input, ${error.message}. That line and those behind it were not sent.\n`,
      );
      return commandStatus.failure;
    }
  }

  async #sayLines(): Promise<number> {
    const nothing: TurnListener = {
      text: () => undefined,
      restart: () => undefined,
      status: () => undefined,
      question: (question) => process.stderr.write(questionText(question, ownCommand)),
    };
    let status: number = commandStatus.success;
    for await (const line of linesOf(process.stdin, { fatal: true })) {
      const text = line.replace(/\r$/, '');
      if (text.trim() === '') continue;
      const outcome = await this.conversation.say(text, nothing, new AbortController().signal);
      if (outcome.state === 'replied') {
        process.stdout.write(`${outcome.text}\n`);
      } else {
        process.stderr.write(`sd-gateway: ${printable(reasonOf(outcome))}\n`);
        status = commandStatus.failure;
      }
    }
    return status;
  }
}

/** Prints what an agent writes, piece by piece. */
class ReplyPrinter implements TurnListener {
  #printed = '';
  #hasStatus = false;

  constructor(private readonly terminal: Terminal) {}

  text(piece: string): void {
    this.#clearStatus();
    this.#printed += piece;
    process.stdout.write(printable(piece));
  }

  restart(): void {
    this.#clearStatus();
    if (this.#printed !== '') process.stdout.write(this.terminal.paint('dim', '\n(the turn runs again)\n'));
    this.#printed = '';
  }

  status(line: string): void {
    if (this.#printed !== '') return;
    this.#clearStatus();
    this.#hasStatus = true;
    const text = printable(line)
      .replaceAll('\n', ' ')
      .slice(0, this.terminal.width - 1);
    process.stdout.write(this.terminal.paint('dim', text));
  }

  question(question: WaitingQuestion): void {
    this.#clearStatus();
    const begun = this.#printed === '' ? '' : '\n';
    process.stdout.write(`${begun}${this.terminal.paint('yellow', questionText(question, asChatWord))}`);
  }

  end(outcome: TurnOutcome): void {
    this.#clearStatus();
    if (outcome.state !== 'replied') {
      const reason = this.terminal.paint('red', printable(reasonOf(outcome)));
      process.stdout.write(`${this.#printed === '' ? '' : '\n'}${reason}\n`);
      return;
    }
    // The reply counts, whatever pieces came.
    const isBegun = outcome.text.startsWith(this.#printed);
    const rest = isBegun ? outcome.text.slice(this.#printed.length) : `\n${outcome.text}`;
    process.stdout.write(`${printable(rest)}\n`);
    for (const line of replyFileLines(outcome.id, { attachments: outcome.files })) {
      process.stdout.write(`${this.terminal.paint('dim', printable(line))}\n`);
    }
  }

  #clearStatus(): void {
    if (this.#hasStatus) process.stdout.write('\r\u001b[K');
    this.#hasStatus = false;
  }
}

/** Keeps the lines that are typed or pasted while a reply is printed. */
class Lines {
  readonly #lines: string[] = [];
  #isClosed = false;
  #wake: () => void = () => undefined;

  /** @param takes true: the line is not kept */
  constructor(input: Interface, takes: (line: string) => boolean) {
    input.on('line', (line) => {
      if (takes(line)) return;
      this.#lines.push(line);
      this.#wake();
    });
    input.once('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** Null: the input has ended. */
  async next(): Promise<string | null> {
    while (this.#lines.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#lines.shift() ?? null;
  }
}

class TerminalChat {
  readonly #conversation: Conversation;
  readonly #terminal: Terminal;
  readonly #session: string;
  /** Paths of files for the next message. */
  #files: readonly string[] = [];
  /** Cancels the turn that runs; null: none does. */
  #turn: AbortController | null = null;

  constructor(conversation: Conversation, terminal: Terminal, session: string) {
    this.#conversation = conversation;
    this.#terminal = terminal;
    this.#session = session;
  }

  async run(turns: readonly Turn[]): Promise<number> {
    const questions = await this.#conversation.questions();
    const dim = (text: string) => this.#terminal.paint('dim', printable(text));
    for (const { text, reply } of turns) process.stdout.write(`${dim(`> ${text}\n${reply?.text ?? ''}`)}\n`);
    for (const question of questions) {
      process.stdout.write(this.#terminal.paint('yellow', questionText(question, asChatWord)));
    }
    process.stdout.write(
      `${dim(`Session ${this.#session}. /help lists the words of the chat, Ctrl-D ends it.`)}\n`,
    );
    const input = createInterface({
      input: process.stdin,
      output: process.stdout,
      prompt: this.#terminal.paint('bold', '> '),
      history: turns.map(({ text }) => text.replaceAll('\n', ' ')).reverse(),
    });
    input.on('SIGINT', () => this.#interrupt(input));
    try {
      await this.#converse(input);
    } finally {
      input.close();
    }
    process.stdout.write('\n');
    return commandStatus.success;
  }

  async #converse(input: Interface): Promise<void> {
    // The turn that runs may wait for it.
    const lines = new Lines(input, (line) => {
      const answer = this.#turn === null ? null : answerIn(line);
      if (answer !== null) void this.#answer(answer);
      return answer !== null;
    });
    for (;;) {
      input.prompt();
      const line = await lines.next();
      if (line === null || /^\/(quit|exit)\s*$/.test(line)) return;
      if (line.trim() === '') {
        if (this.#files.length > 0) await this.#say('');
      } else if (line.startsWith('/') && !line.startsWith('//')) await this.#word(line.slice(1).trim());
      else await this.#say(line.replace(/^\/\//, '/'));
    }
  }

  /** Ctrl-C: at the prompt it leaves the line, and an empty one leaves the chat. */
  #interrupt(input: Interface): void {
    if (this.#turn !== null) {
      this.#turn.abort();
    } else if (input.line === '') {
      input.close();
    } else {
      process.stdout.write('^C\n');
      input.write(null, { ctrl: true, name: 'e' });
      input.write(null, { ctrl: true, name: 'u' });
      input.prompt();
    }
  }

  async #say(text: string): Promise<void> {
    this.#turn = new AbortController();
    const printer = new ReplyPrinter(this.#terminal);
    try {
      const files = this.#files;
      this.#files = [];
      printer.end(await this.#conversation.say(text, printer, this.#turn.signal, files));
    } finally {
      this.#turn = null;
    }
  }

  async #answer({ code, effect }: QuestionAnswer): Promise<void> {
    if (code === '') {
      process.stdout.write('The code of the question is missing, as in /approve 7K2M9QXD\n');
      return;
    }
    try {
      const answer = await this.#conversation.answer(code, effect);
      this.#tell(answer, `${effect === 'allow' ? 'Allowed' : 'Denied'}: ${String(answer.body?.['title'])}`);
    } catch (error) {
      process.stdout.write(`${printable(`It was not answered: ${errorMessage(error)}`)}\n`);
    }
  }

  async #word(line: string): Promise<void> {
    const answer = answerIn(`/${line}`);
    const [word = '', name] = line.split(/\s+/);
    const path = line.replace(/^\S+\s*/, '');
    if (answer !== null) await this.#answer(answer);
    else if (word === 'reset') this.#tell(await this.#conversation.reset(), 'The session begins anew.');
    else if (word === 'agent' && name !== undefined) {
      this.#tell(await this.#conversation.setAgent(name), `The agent is ${name}.`);
    } else if (word === 'agent') process.stdout.write(`${printable(await this.#conversation.agents())}\n`);
    else if (word === 'file' && path !== '') this.#addFile(path);
    else if (word === 'help') process.stdout.write(`${help}\n`);
    else if (word === 'file') process.stdout.write('It needs the path of a file: /file PATH\n');
    else process.stdout.write(`${printable(`There is no /${word}; /help lists what there is.`)}\n`);
  }

  #addFile(path: string): void {
    const unreadable = unreadableOf([path]);
    if (unreadable === null) this.#files = [...this.#files, path];
    process.stdout.write(
      `${printable(unreadable ?? 'It goes with the next message. An empty line sends it alone.')}\n`,
    );
  }

  #tell({ status, body }: { readonly status: number; readonly body: object | null }, done: string): void {
    const detail = String((body as { readonly detail?: unknown } | null)?.detail ?? `status ${status}`);
    process.stdout.write(`${printable(status === 200 ? done : detail)}\n`);
  }
}
