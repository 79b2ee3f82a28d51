import type { Message } from '../../../store/messages.js';
import type { TextPiece } from '../streams/live-text.js';
import type { Outcome } from './outcome.js';
import { itemId, itemView, partView, type ResponseStatus, responseView, statusOf } from './response-view.js';
import type { RunEvents } from './run-stream.js';
import { SentText } from './sent-text.js';

/** The first numbers are those of the response itself. */
const firstOfItems = 2;
/** Numbers of one beginning of the text: more than a reply has characters. */
const numbersOfItem = 100_000_000;

/** The number of the event that begins an item. `restarts`: beginnings of the text before it. */
function beginOf(restarts: number): number {
  return firstOfItems + restarts * numbersOfItem;
}

/**
 * Makes the events of a response. Their numbers follow from what the store has: how often the text began anew, and how many
 * characters of it were sent. So any process can go on behind any event, also when the pieces are kept no longer.
 */
export class ResponseEvents implements RunEvents {
  readonly isResumable = true;
  #message: Message;
  /** The number of the last event that the client has. */
  readonly #after: number;
  #isOver = false;
  #restarts = 0;
  #hasItem = false;
  #sent = new SentText();

  /** `after`: nothing up to the event with this number is sent; -1: all is. */
  constructor(message: Message, after = -1) {
    this.#message = message;
    this.#after = after;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  begin(message: Message): string {
    const response = this.#view(statusOf(message, null) === 'queued' ? 'queued' : 'in_progress', null);
    return this.#event(0, 'response.created', { response });
  }

  running(): string {
    return this.#event(1, 'response.in_progress', { response: this.#view('in_progress', null) });
  }

  piece({ text }: TextPiece): string {
    return text === '' ? this.#restart() : this.#beginItem() + this.#delta(text);
  }

  end(outcome: Outcome, message: Message): string {
    this.#message = message;
    const progress = this.running();
    const events = outcome.type === 'reply' ? this.#reply(outcome) : this.#failure(outcome);
    this.#isOver = true;
    return progress + events;
  }

  breakOff(reason: 'stop' | 'gone'): string {
    if (reason === 'stop') return '';
    this.#isOver = true;
    const { message, code } = { message: 'The session of the run was deleted.', code: 'run_deleted' };
    return this.#event(beginOf(this.#restarts + 1) - 2, 'error', { code, message, param: null });
  }

  #reply(outcome: Extract<Outcome, { readonly type: 'reply' }>): string {
    const { text } = outcome;
    const rest = this.#sent.restOf(text);
    let events = '';
    // The reply is another text than its pieces were: it is an item of its own, which a client may know already.
    const known = Math.max(0, Math.floor((this.#after - firstOfItems) / numbersOfItem));
    if (rest === null) events += this.#restart();
    while (this.#restarts < known) events += this.#restart();
    events += this.#beginItem();
    const left = rest ?? text;
    if (left !== '') events += this.#delta(left);
    const at = this.#place;
    const last = beginOf(this.#restarts) + 1 + Math.max(text.length, this.#sent.length);
    const status = statusOf(this.#message, outcome);
    const item = itemView(
      this.#message,
      this.#restarts,
      text,
      status === 'incomplete' ? 'incomplete' : 'completed',
    );
    return [
      events,
      this.#event(last + 1, 'response.output_text.done', { ...at, content_index: 0, text, logprobs: [] }),
      this.#event(last + 2, 'response.content_part.done', { ...at, content_index: 0, part: partView(text) }),
      this.#event(last + 3, 'response.output_item.done', { output_index: this.#restarts, item }),
      this.#event(last + 4, `response.${status}`, { response: this.#view(status, outcome) }),
    ].join('');
  }

  #failure(outcome: Exclude<Outcome, { readonly type: 'reply' }>): string {
    const status = statusOf(this.#message, outcome);
    // No event of OpenAI's API says that a response was cancelled: its status does.
    return this.#event(beginOf(this.#restarts + 1) - 2, 'response.failed', {
      response: this.#view(status, outcome),
    });
  }

  /** Ends the item of what was sent, which is void. The next one begins with the next text. */
  #restart(): string {
    const begun = this.#beginItem();
    const item = itemView(this.#message, this.#restarts, null, 'incomplete');
    const number = beginOf(this.#restarts + 1) - 1;
    const ended = this.#event(number, 'response.output_item.done', { output_index: this.#restarts, item });
    this.#restarts += 1;
    this.#hasItem = false;
    this.#sent = new SentText();
    return begun + ended;
  }

  #beginItem(): string {
    if (this.#hasItem) return '';
    this.#hasItem = true;
    const number = beginOf(this.#restarts);
    const item = itemView(this.#message, this.#restarts, null, 'in_progress');
    return (
      this.running() +
      this.#event(number, 'response.output_item.added', { output_index: this.#restarts, item }) +
      this.#event(number + 1, 'response.content_part.added', {
        ...this.#place,
        content_index: 0,
        part: partView(''),
      })
    );
  }

  /** Leaves out the characters that the client has. */
  #delta(text: string): string {
    const begin = beginOf(this.#restarts) + 1 + this.#sent.length;
    this.#sent.add(text);
    const end = begin + text.length;
    const missing = text.slice(Math.max(0, this.#after - begin));
    const facts = { ...this.#place, content_index: 0, delta: missing, logprobs: [] };
    return this.#event(end, 'response.output_text.delta', facts);
  }

  get #place() {
    return { item_id: itemId(this.#message, this.#restarts), output_index: this.#restarts };
  }

  #hasRunning = false;

  #event(number: number, type: string, facts: object): string {
    if (number <= this.#after) return '';
    if (type === 'response.in_progress') {
      if (this.#hasRunning) return '';
      this.#hasRunning = true;
    }
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number, ...facts })}\n\n`;
  }

  #view(status: ResponseStatus, outcome: Outcome | null) {
    return responseView(this.#message, { status, outcome, restarts: this.#restarts });
  }
}
