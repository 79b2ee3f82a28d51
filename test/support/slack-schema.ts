/** Parameters and scopes of the methods as they are published (docs.slack.dev/reference/methods). */

type ParameterType = 'string' | 'integer' | 'boolean' | 'ts' | 'object' | 'list' | 'channel' | 'user';

interface Method {
  readonly required: Readonly<Record<string, ParameterType>>;
  readonly optional: Readonly<Record<string, ParameterType>>;
  /** The token that it takes. */
  readonly token: 'bot' | 'app';
  /** The scope that it needs; "history" depends on the kind of the conversation. */
  readonly scope: string | null;
}

const sending = {
  as_user: 'boolean',
  attachments: 'list',
  blocks: 'list',
  link_names: 'boolean',
  markdown_text: 'string',
  metadata: 'object',
  parse: 'string',
  reply_broadcast: 'boolean',
  text: 'string',
} as const;

const timeline = {
  cursor: 'string',
  include_all_metadata: 'boolean',
  inclusive: 'boolean',
  latest: 'ts',
  limit: 'integer',
  oldest: 'ts',
} as const;

export const methods: Readonly<Record<string, Method>> = {
  'auth.test': { required: {}, optional: {}, token: 'bot', scope: null },
  'apps.connections.open': { required: {}, optional: {}, token: 'app', scope: null },
  'chat.postMessage': {
    required: { channel: 'channel' },
    optional: {
      ...sending,
      icon_emoji: 'string',
      icon_url: 'string',
      mrkdwn: 'boolean',
      thread_ts: 'ts',
      unfurl_links: 'boolean',
      unfurl_media: 'boolean',
      username: 'string',
    },
    token: 'bot',
    scope: 'chat:write',
  },
  'chat.update': {
    required: { channel: 'channel', ts: 'ts' },
    optional: { ...sending, file_ids: 'list' },
    token: 'bot',
    scope: 'chat:write',
  },
  'users.info': {
    required: { user: 'user' },
    optional: { include_locale: 'boolean' },
    token: 'bot',
    scope: 'users:read',
  },
  'users.conversations': {
    required: {},
    optional: {
      cursor: 'string',
      exclude_archived: 'boolean',
      limit: 'integer',
      team_id: 'string',
      types: 'string',
      user: 'user',
    },
    token: 'bot',
    scope: 'channels:read',
  },
  'conversations.history': {
    required: { channel: 'channel' },
    optional: timeline,
    token: 'bot',
    scope: 'history',
  },
  'conversations.replies': {
    required: { channel: 'channel', ts: 'ts' },
    optional: timeline,
    token: 'bot',
    scope: 'history',
  },
  'files.getUploadURLExternal': {
    required: { filename: 'string', length: 'integer' },
    optional: { alt_txt: 'string', snippet_type: 'string' },
    token: 'bot',
    scope: 'files:write',
  },
  'files.completeUploadExternal': {
    required: { files: 'list' },
    optional: {
      blocks: 'list',
      channel_id: 'channel',
      channels: 'string',
      initial_comment: 'string',
      thread_ts: 'ts',
    },
    token: 'bot',
    scope: 'files:write',
  },
};

/** Reads a form, where all values are texts, and gives each mistake, such as "channel: is required". */
export function parametersOf(
  method: string,
  form: URLSearchParams,
): { readonly parameters: Readonly<Record<string, unknown>>; readonly mistakes: readonly string[] } {
  const known = methods[method];
  if (known === undefined) return { parameters: {}, mistakes: [`${method} is no method`] };
  const types: Readonly<Record<string, ParameterType>> = { ...known.optional, ...known.required };
  const parameters: Record<string, unknown> = {};
  const mistakes = Object.keys(known.required)
    .filter((key) => !form.has(key))
    .map((key) => `${key}: is required`);
  for (const [key, text] of form) {
    const type = types[key];
    const value = type === undefined ? undefined : formValue(type, text);
    if (type === undefined) mistakes.push(`${key}: is no parameter`);
    else if (value === undefined) mistakes.push(`${key}: is no ${type}`);
    parameters[key] = value;
  }
  return { parameters, mistakes: mistakes.map((text) => `${method}: ${text}`) };
}

/** Undefined: it is none of this type. */
function formValue(type: ParameterType, text: string): unknown {
  switch (type) {
    case 'string':
      return text;
    case 'integer':
      return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
    case 'boolean':
      return /^(?:true|false|1|0)$/.test(text) ? text === 'true' || text === '1' : undefined;
    case 'ts':
      return /^\d{1,12}\.\d{6}$/.test(text) ? text : undefined;
    case 'channel':
      return /^[CDG][A-Z0-9]{1,}$/.test(text) ? text : undefined;
    case 'user':
      return /^[UW][A-Z0-9]{1,}$/.test(text) ? text : undefined;
    case 'object':
    case 'list': {
      try {
        const value: unknown = JSON.parse(text);
        return Array.isArray(value) === (type === 'list') && typeof value === 'object' ? value : undefined;
      } catch {
        return undefined;
      }
    }
  }
}

/** The mistake of a text in mrkdwn, where "&", "<" and ">" stand for themselves only as entities; null: it has none. */
export function mrkdwnMistake(text: string): string | null {
  const rest = text
    .replace(/<(?:https?|mailto|tel|slack):[^<>|\s]+(?:\|[^<>\n]*)?>/g, '')
    .replace(/^> /gm, '');
  if (/[<>]/.test(rest)) return `"<" or ">" stands in the text: ${JSON.stringify(text.slice(0, 80))}`;
  return /&(?!amp;|lt;|gt;)/.test(text)
    ? `"&" stands in the text: ${JSON.stringify(text.slice(0, 80))}`
    : null;
}
