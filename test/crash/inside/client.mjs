// A client of the crash tests, with a session of its own. What was not answered, or refused, it asks for again, as a
// client has to: a message under the same key.
import { createHmac } from 'node:crypto';
import { statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export class Client {
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  #number = 0;

  /** `seen`: what all clients saw together. */
  constructor(session, options, seen) {
    this.session = session;
    this.options = options;
    this.seen = seen;
  }

  /** Posts the session's next message; gives its number and its id. */
  async post({ once = false, stubborn = false } = {}) {
    this.#number += 1;
    const number = this.#number;
    const url = `http://127.0.0.1:${this.options.receiver}/${once ? 'once' : ''}`;
    const message = {
      text: `message ${number} of ${this.session}`,
      reply_to: once ? { url, idempotent: false } : { url },
      ...(stubborn && { metadata: { stubborn: true } }),
    };
    const { headers, text } = await this.#ask('POST', 'messages', [202], message, {
      'idempotency-key': `${this.session}-${number}`,
    });
    const { id, seq } = JSON.parse(text);
    if (headers['idempotency-replayed'] !== undefined) this.seen.repeated += 1;
    if (seq !== number) this.#mistake(`message ${number} was accepted as ${seq}`);
    this.seen.accepted[this.session] = number;
    return { number, id };
  }

  /** Posts the session's next message to the channel that takes webhooks, signed as GitHub does. */
  async deliver() {
    this.#number += 1;
    const { session } = this;
    const number = this.#number;
    const content = { session: session.split(':')[1], text: `message ${number} of ${session}` };
    const { text } = await this.#ask('POST', '/hooks/hook', [200], content, {
      'x-github-event': 'push',
      'x-github-delivery': `${session}-${number}`,
      'x-hub-signature-256': `sha256=${createHmac('sha256', this.options.hookSecret).update(JSON.stringify(content)).digest('hex')}`,
    });
    const { state } = JSON.parse(text);
    if (state === 'repeated') this.seen.repeated += 1;
    else if (state !== 'accepted') this.#mistake(`message ${number} was taken as ${state}`);
    this.seen.accepted[session] = number;
  }

  async setPolicy(policy) {
    await this.#ask('PUT', 'policy', [200], { policy });
  }

  /** Has a message cancelled, unless its turn is over (409). */
  async cancel({ number, id }) {
    const answer = await this.#ask('POST', `/v1/messages/${id}/cancel`, [200, 404, 409]);
    if (answer.status === 404) return this.#mistake(`message ${number} was cancelled, and is not there`);
    const { attempts } = JSON.parse(answer.text);
    this.#noteCancel(number, number, answer.status === 200 ? [{ id, attempts }] : []);
  }

  /** Has all cancelled that the session has. */
  async cancelSession() {
    const { text } = await this.#ask('POST', 'cancel', [200]);
    const { cancelled } = JSON.parse(text);
    this.#noteCancel(
      1,
      this.#number,
      cancelled.map(({ id }) => ({ id, attempts: null })),
    );
  }

  /** The session's policy is "interrupt": the message that was just accepted has the one before it cancelled. */
  noteInterrupted(number) {
    if (number > 1) this.#noteCancel(number - 1, number - 1, []);
  }

  end() {
    this.#agent.destroy();
  }

  #noteCancel(from, to, cancelled) {
    const turnsWritten = statSync(this.options.turns).size;
    this.seen.cancels.push({ session: this.session, from, to, cancelled, turnsWritten });
  }

  #mistake(text) {
    this.seen.mistakes.push(`${this.session}: ${text}`);
  }

  /** Asks until it gets one of these statuses. */
  async #ask(method, path, statuses, content, headers) {
    for (;;) {
      let refusal;
      try {
        const answer = await this.#send(method, path, content, headers);
        if (statuses.includes(answer.status)) return answer;
        refusal = String(answer.status);
      } catch (error) {
        refusal = error.code ?? error.message;
      }
      this.seen.refusals[refusal] = (this.seen.refusals[refusal] ?? 0) + 1;
      await pause(20);
    }
  }

  #send(method, place, content, own = {}) {
    const { port, authorization } = this.options;
    const path = place.startsWith('/') ? place : `/v1/sessions/${this.session}/${place}`;
    const body = content === undefined ? '' : JSON.stringify(content);
    const type = content === undefined ? {} : { 'content-type': 'application/json' };
    const headers = { authorization, 'content-length': Buffer.byteLength(body), ...type, ...own };
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, method, path, agent: this.#agent, headers, timeout: 20_000 };
      const outgoing = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.once('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
        response.once('error', reject);
      });
      outgoing.once('timeout', () => outgoing.destroy(new Error('no answer within 20 s')));
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }
}
