import { z } from 'zod';

/** What a client sends, as it is published (spec.matrix.org, "Client-Server API" v1.16). Unknown members are mistakes. */

const eventId = z.string().regex(/^\$\S{1,254}$/);
const userId = z.string().regex(/^@[^:\s]+:\S+$/);
const mxc = z.string().regex(/^mxc:\/\/[^/]+\/[\w-]+$/);

const mentions = z.strictObject({ user_ids: z.array(userId).optional(), room: z.boolean().optional() });

const inReplyTo = z.strictObject({ event_id: eventId });

const relation = z.union([
  z.strictObject({ 'm.in_reply_to': inReplyTo }),
  z.strictObject({
    rel_type: z.literal('m.thread'),
    event_id: eventId,
    is_falling_back: z.literal(true),
    'm.in_reply_to': inReplyTo,
  }),
]);

const html = { format: z.literal('org.matrix.custom.html'), formatted_body: z.string() };
const info = z.strictObject({ mimetype: z.string().regex(/^[^/\s]+\/[^/\s]+$/), size: z.int().min(0) });

const bodies = [
  z.strictObject({ msgtype: z.enum(['m.text', 'm.notice']), body: z.string().min(1) }),
  z.strictObject({ msgtype: z.enum(['m.text', 'm.notice']), body: z.string().min(1), ...html }),
  z.strictObject({
    msgtype: z.enum(['m.file', 'm.image', 'm.audio', 'm.video']),
    body: z.string().min(1),
    filename: z.string().min(1),
    url: mxc,
    info,
  }),
] as const;

/** Members of our own are namespaced. */
const own = { 'sd-gateway.transaction': z.string().min(1) };

const messageContent = z.union(
  bodies.map((body) =>
    body.extend({ ...own, 'm.mentions': mentions, 'm.relates_to': relation.optional() }),
  ) as unknown as readonly [z.ZodType, z.ZodType],
);

const editContent = z.strictObject({
  ...own,
  msgtype: z.string(),
  body: z.string().startsWith('* '),
  'm.mentions': mentions,
  'm.new_content': z.union(
    bodies.map((body) => body.extend({ 'm.mentions': mentions })) as unknown as readonly [
      z.ZodType,
      z.ZodType,
    ],
  ),
  'm.relates_to': z.strictObject({ rel_type: z.literal('m.replace'), event_id: eventId }),
});

const eventFilter = z.strictObject({
  types: z.array(z.string()).optional(),
  senders: z.array(userId).optional(),
  limit: z.int().min(1).optional(),
  lazy_load_members: z.boolean().optional(),
  include_redundant_members: z.boolean().optional(),
});

export const roomEventFilter = eventFilter;

export const syncFilterSchema = z.strictObject({
  presence: eventFilter,
  account_data: eventFilter,
  room: z.strictObject({
    account_data: eventFilter,
    ephemeral: eventFilter,
    state: eventFilter,
    timeline: eventFilter,
  }),
});

const whole = z.string().regex(/^\d+$/);

/** The parameters of each call: those of the URL, and the body. */
export const callSchemas: Readonly<
  Record<string, { readonly query: z.ZodType; readonly body: z.ZodType | null }>
> = {
  'GET versions': { query: z.strictObject({}), body: null },
  'GET whoami': { query: z.strictObject({}), body: null },
  'GET displayname': { query: z.strictObject({}), body: null },
  'GET config': { query: z.strictObject({}), body: null },
  'GET joined_members': { query: z.strictObject({}), body: null },
  'GET event': { query: z.strictObject({}), body: null },
  'GET state': { query: z.strictObject({}), body: null },
  'GET sync': {
    query: z.strictObject({ filter: z.string(), timeout: whole, since: z.string().optional() }),
    body: null,
  },
  'GET messages': {
    query: z.strictObject({
      dir: z.enum(['b', 'f']),
      limit: whole,
      filter: z.string().optional(),
      from: z.string().optional(),
      to: z.string().optional(),
    }),
    body: null,
  },
  'PUT send': {
    query: z.strictObject({}),
    body: z.union([messageContent, editContent]),
  },
  'PUT typing': {
    query: z.strictObject({}),
    body: z.strictObject({ typing: z.literal(true), timeout: z.int().min(1) }),
  },
  'POST join': {
    query: z.strictObject({ server_name: z.string().optional(), via: z.string().optional() }),
    body: z.strictObject({}),
  },
  'POST upload': { query: z.strictObject({ filename: z.string().min(1) }), body: null },
  'GET download': { query: z.strictObject({}), body: null },
};

/** The tags that clients should show, but for those that need more than text, and the attributes that are used. */
const tags: ReadonlySet<string> = new Set(
  'del h1 h2 h3 h4 h5 h6 blockquote p ul ol sup sub li b i u strong em s code hr br pre a'.split(' '),
);

/** Gives the text behind the markup. Throws for what a client need not show, and for what is not well formed. */
export function textOfMatrixHtml(html: string): string {
  const open: string[] = [];
  let text = '';
  let at = 0;
  for (const { index, 0: tag, 1: slash, 2: name = '', 3: attributes = '' } of html.matchAll(
    /<(\/?)([a-z0-9]+)((?: [a-z-]+="[^"<>]*")*)>/g,
  )) {
    text += unescaped(html.slice(at, index));
    at = index + tag.length;
    if (!tags.has(name)) throw new Error(`the tag ${tag}`);
    if (slash === '/') {
      if (open.pop() !== name) throw new Error(`the end tag ${tag}`);
      continue;
    }
    const allowed =
      name === 'a'
        ? /^ href="(?:https?|ftp|mailto|magnet):[^"]+"$/i
        : name === 'code' && open.at(-1) === 'pre'
          ? /^(?: class="language-[^"\s]+")?$/
          : /^$/;
    if (!allowed.test(attributes)) throw new Error(`the attributes of ${tag}`);
    if (name === 'br') {
      text += '\n';
      continue;
    }
    if (open.includes(name)) throw new Error(`${tag} twice`);
    open.push(name);
    if (open.length > 100) throw new Error('more than 100 tags within each other');
  }
  text += unescaped(html.slice(at));
  if (open.length > 0) throw new Error(`unclosed ${open.join()}`);
  return text;
}

function unescaped(text: string): string {
  if (/[<>"]|&(?!(?:amp|lt|gt|quot);)/.test(text)) throw new Error(`unescaped: ${text.slice(0, 100)}`);
  const characters: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return text.replace(/&(amp|lt|gt|quot);/g, (_all, name: string) => characters[name] ?? '');
}

/** Undefined: there is none. */
export function mistakeIn(schema: z.ZodType, value: unknown): string | undefined {
  const { error } = schema.safeParse(value);
  return error === undefined ? undefined : JSON.stringify(error.issues).slice(0, 500);
}
