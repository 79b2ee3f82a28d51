import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { ChannelContext } from '../channel.js';
import { type CallOptions, DownloadError, type HttpEnd, jsonOf, PlatformHttp } from '../platform-http.js';

/** The end of one call of the Web API (docs.slack.dev/apis/web-api). No text of it holds a token. */
export type SlackEnd =
  | {
      readonly kind: 'ok';
      readonly result: unknown;
      /** The scopes of the token; null: Slack does not say. */
      readonly scopes: readonly string[] | null;
    }
  /** The Web API says no. */
  | {
      readonly kind: 'refused';
      /** Its name of the error, such as "channel_not_found". */
      readonly error: string;
      /** The scope that the call would need; null: that is not it. */
      readonly needed: string | null;
      readonly retryAfterMs: number | null;
    }
  /** There is no answer, or none of the Web API. */
  | Exclude<HttpEnd, { readonly kind: 'answer' }>;

export type SlackRefusal = Extract<SlackEnd, { readonly kind: 'refused' }>;

export interface SlackTokens {
  /** The token of the bot: "xoxb-…". */
  readonly bot: string;
  /** The token of the app: "xapp-…". Null: messages do not come by Socket Mode. */
  readonly app: string | null;
}

const longestAnswerBytes = 16 * 1024 ** 2;
const longestRetryAfterSeconds = 86_400;
/** Hosts that Slack keeps files on. The token goes to nobody else. */
const fileHosts = /^(?:[\w-]+\.)*(?:slack\.com|slack-files\.com|slack-edge\.com)$/;

const answer = z.object({
  ok: z.boolean(),
  error: z.string().default('no reason'),
  needed: z.string().nullable().default(null),
});

/** Calls methods of the Web API for one app. */
export class SlackApi {
  readonly #root: string;
  readonly #tokens: SlackTokens;
  readonly #http: PlatformHttp;

  constructor(root: string, tokens: SlackTokens, clock: ChannelContext['clock']) {
    this.#root = root.replace(/\/+$/, '');
    this.#tokens = tokens;
    this.#http = new PlatformHttp({ clock, longestAnswerBytes, redact: (text) => this.#redact(text) });
  }

  /** A form is taken by each method; JSON by some of them. */
  call(
    method: string,
    parameters: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<SlackEnd> {
    return this.#call(method, parameters, this.#tokens.bot, options);
  }

  /** Calls a method of the app itself, such as `apps.connections.open`. */
  callAsApp(method: string, options: CallOptions): Promise<SlackEnd> {
    return this.#call(method, {}, this.#tokens.app ?? '', options);
  }

  /** Puts a file where `files.getUploadURLExternal` has said. Null: it is there. */
  async upload(
    url: string,
    file: { readonly sizeBytes: number; readonly content: AsyncIterable<Uint8Array> },
    options: CallOptions,
  ): Promise<Exclude<SlackEnd, { readonly kind: 'ok' | 'refused' }> | null> {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(file.sizeBytes) };
    const end = await this.#http.exchange({ method: 'POST', url, headers, content: [file.content] }, options);
    // Nobody sees the file before it is completed.
    if (end.kind !== 'answer') return { ...end, inDoubt: false };
    if (end.status === 200) return null;
    return { kind: 'failed', reason: `the file server answered HTTP ${end.status}`, inDoubt: false };
  }

  /**
   * Gives the bytes of a file by its `url_private`.
   *
   * @param mediaType as its message has it
   * @throws DownloadError, also while it is read
   */
  async *download(url: string, mediaType: string | null, options: CallOptions): AsyncGenerator<Uint8Array> {
    if (!this.#isOfSlack(url)) throw new DownloadError('it is not kept by Slack', false);
    const headers = { authorization: `Bearer ${this.#tokens.bot}` };
    yield* this.#http.download({ url, headers }, options, (status, given) =>
      judgeFile(status, given, mediaType),
    );
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #call(
    method: string,
    parameters: Readonly<Record<string, unknown>>,
    token: string,
    options: CallOptions,
  ): Promise<SlackEnd> {
    const form = new URLSearchParams();
    for (const [key, value] of Object.entries(parameters)) {
      form.set(key, typeof value === 'string' ? value : JSON.stringify(value));
    }
    const body = Buffer.from(form.toString());
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'content-length': String(body.length),
    };
    const url = `${this.#root}/${method}`;
    const end = await this.#http.exchange({ method: 'POST', url, headers, content: [body] }, options);
    return end.kind === 'answer' ? this.#judge(end.status, end.headers, end.text) : end;
  }

  #judge(status: number, headers: IncomingHttpHeaders, text: string): SlackEnd {
    const seconds = Number(headers['retry-after']);
    const retryAfterMs =
      Number.isFinite(seconds) && seconds > 0
        ? Math.ceil(Math.min(seconds, longestRetryAfterSeconds) * 1_000)
        : null;
    if (status === 429) return { kind: 'refused', error: 'ratelimited', needed: null, retryAfterMs };
    const result = jsonOf(text);
    const parsed = answer.safeParse(result);
    if (!parsed.success) {
      // A 4xx without an answer of the Web API is of a proxy, which has passed nothing on.
      const reason = `the answer is none of the Web API (HTTP ${status})`;
      return { kind: 'failed', reason, inDoubt: status < 400 || status >= 500 };
    }
    const { ok, error, needed } = parsed.data;
    if (ok) return { kind: 'ok', result, scopes: scopesIn(headers) };
    return { kind: 'refused', error: this.#redact(error).slice(0, 200), needed, retryAfterMs };
  }

  #isOfSlack(url: string): boolean {
    if (!URL.canParse(url)) return false;
    const { protocol, hostname, origin } = new URL(url);
    return (protocol === 'https:' && fileHosts.test(hostname)) || origin === new URL(this.#root).origin;
  }

  #redact(text: string): string {
    const { bot, app } = this.#tokens;
    const redacted = text.replaceAll(bot, 'TOKEN');
    return app === null ? redacted : redacted.replaceAll(app, 'TOKEN');
  }
}

function scopesIn({ 'x-oauth-scopes': scopes }: IncomingHttpHeaders): readonly string[] | null {
  return typeof scopes === 'string' ? scopes.split(/,\s*/).filter((scope) => scope !== '') : null;
}

/** Without the right to it, Slack answers with a page to log in, or leads there. */
function judgeFile(
  status: number,
  { 'content-type': type = '' }: IncomingHttpHeaders,
  mediaType: string | null,
): DownloadError | null {
  if (status === 200 && (mediaType === 'text/html' || !/^text\/html\b/.test(type))) return null;
  if (status === 200 || (status >= 300 && status < 400)) {
    return new DownloadError('Slack does not give it: the app needs the scope files:read', false);
  }
  return new DownloadError(`the file server answered HTTP ${status}`, status === 429 || status >= 500);
}
