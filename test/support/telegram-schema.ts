/** Parameters of the methods as they are published (core.telegram.org/bots/api, Bot API 10.0). */

type ParameterType = 'integer' | 'string' | 'boolean' | 'chat' | 'strings' | 'object' | 'file';

interface Method {
  readonly required: Readonly<Record<string, ParameterType>>;
  readonly optional: Readonly<Record<string, ParameterType>>;
}

/** Parameters of all methods that send a message. */
const sending = {
  business_connection_id: 'string',
  message_thread_id: 'integer',
  direct_messages_topic_id: 'integer',
  disable_notification: 'boolean',
  protect_content: 'boolean',
  allow_paid_broadcast: 'boolean',
  message_effect_id: 'string',
  suggested_post_parameters: 'object',
  reply_parameters: 'object',
  reply_markup: 'object',
} as const;

const captioned = { caption: 'string', parse_mode: 'string', caption_entities: 'object' } as const;

export const methods: Readonly<Record<string, Method>> = {
  getMe: { required: {}, optional: {} },
  getUpdates: {
    required: {},
    optional: { offset: 'integer', limit: 'integer', timeout: 'integer', allowed_updates: 'strings' },
  },
  getWebhookInfo: { required: {}, optional: {} },
  setWebhook: {
    required: { url: 'string' },
    optional: {
      ip_address: 'string',
      max_connections: 'integer',
      allowed_updates: 'strings',
      drop_pending_updates: 'boolean',
      secret_token: 'string',
    },
  },
  deleteWebhook: { required: {}, optional: { drop_pending_updates: 'boolean' } },
  sendMessage: {
    required: { chat_id: 'chat', text: 'string' },
    optional: { ...sending, parse_mode: 'string', entities: 'object', link_preview_options: 'object' },
  },
  sendPhoto: {
    required: { chat_id: 'chat', photo: 'file' },
    optional: { ...sending, ...captioned, show_caption_above_media: 'boolean', has_spoiler: 'boolean' },
  },
  sendDocument: {
    required: { chat_id: 'chat', document: 'file' },
    optional: { ...sending, ...captioned, thumbnail: 'file', disable_content_type_detection: 'boolean' },
  },
  editMessageText: {
    required: { text: 'string' },
    optional: {
      business_connection_id: 'string',
      chat_id: 'chat',
      message_id: 'integer',
      inline_message_id: 'string',
      parse_mode: 'string',
      entities: 'object',
      link_preview_options: 'object',
      reply_markup: 'object',
    },
  },
  sendChatAction: {
    required: { chat_id: 'chat', action: 'string' },
    optional: { business_connection_id: 'string', message_thread_id: 'integer' },
  },
  getFile: { required: { file_id: 'string' }, optional: {} },
};

/** Each mistake of a call, such as "chat_id: is required". */
export function mistakesOf(method: string, parameters: Readonly<Record<string, unknown>>): readonly string[] {
  const known = methods[method];
  if (known === undefined) return [`${method} is no method`];
  const types = { ...known.optional, ...known.required };
  const missing = Object.keys(known.required).filter((key) => parameters[key] === undefined);
  const wrong = Object.entries(parameters).flatMap(([key, value]) => {
    const type = types[key];
    if (type === undefined) return [`${key}: is no parameter`];
    return isOfType(value, type) ? [] : [`${key}: is no ${type}`];
  });
  return [...missing.map((key) => `${key}: is required`), ...wrong].map((text) => `${method}: ${text}`);
}

function isOfType(value: unknown, type: ParameterType): boolean {
  switch (type) {
    case 'integer':
      return Number.isSafeInteger(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'chat':
      return Number.isSafeInteger(value) || (typeof value === 'string' && /^@[A-Za-z]\w{3,31}$/.test(value));
    case 'strings':
      return Array.isArray(value) && value.every((each) => typeof each === 'string');
    case 'object':
      return typeof value === 'object' && value !== null;
    case 'file':
      return Buffer.isBuffer(value) || typeof value === 'string';
    case 'string':
      return typeof value === 'string';
  }
}

/** Reads a value of a form, where all are texts. */
export function formValue(method: string, key: string, text: string): unknown {
  const known = methods[method];
  const type = known?.required[key] ?? known?.optional[key];
  if (type === 'integer' || (type === 'chat' && /^-?\d+$/.test(text))) return Number(text);
  if (type === 'boolean') return text === 'true';
  if (type !== 'object' && type !== 'strings') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Tags of the style HTML (core.telegram.org/bots/api#html-style). */
const tags = /^(?:b|strong|i|em|u|ins|s|strike|del|span|tg-spoiler|a|tg-emoji|code|pre|blockquote)$/;

/** Gives the text without its markup, or the description of its mistake. */
export function parseHtml(html: string): { readonly text: string } | { readonly mistake: string } {
  const open: string[] = [];
  let text = '';
  for (const [piece] of html.matchAll(/<[^>]*>|&[^;\s<]*;?|[^<&]+|[<&]/g)) {
    const tag = /^<(\/?)([a-z][a-z0-9-]*)(?:\s[^>]*)?>$/i.exec(piece);
    if (piece.startsWith('<')) {
      const name = tag?.[2]?.toLowerCase() ?? '';
      if (!tags.test(name)) return { mistake: `Unsupported start tag "${name}"` };
      if (tag?.[1] === '') open.push(name);
      else if (open.pop() !== name) return { mistake: `Unmatched end tag "${name}"` };
    } else if (piece.startsWith('&')) {
      const named = { '&lt;': '<', '&gt;': '>', '&amp;': '&', '&quot;': '"' }[piece];
      const number = /^&#(x?)([0-9a-f]+);$/i.exec(piece);
      text += named ?? (number === null ? piece : String.fromCodePoint(Number(`0${number[1]}${number[2]}`)));
    } else text += piece;
  }
  return open.length === 0
    ? { text }
    : { mistake: `Can't find end tag corresponding to start tag "${open.at(-1)}"` };
}
