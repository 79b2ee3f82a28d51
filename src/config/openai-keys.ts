import { z } from 'zod';
import { absolutePath, count, size } from './values.js';

/** The keys of an agent of type "openai". */
export const openAiKeys = {
  base_url: z
    .string()
    .transform((text, context) => {
      const mistake = baseUrlMistake(text);
      if (mistake !== null) {
        context.addIssue({ code: 'custom', message: mistake });
        return z.NEVER;
      }
      return text.replace(/\/+$/, '');
    })
    .register(z.globalRegistry, {
      description:
        'Address of a server of chat completions, up to "/chat/completions", such as "http://127.0.0.1:11434/v1". Loopback and private addresses are fine here.',
    }),
  model: z
    .string()
    .min(1, 'must name a model, such as "llama3.2"')
    .register(z.globalRegistry, { description: 'Name of the model, as the server lists it.' }),
  key_file: absolutePath.nullable().default(null).register(z.globalRegistry, {
    description:
      "File with the server's key, read for each turn. Without it and agent.key_credential, the gateway's variable OPENAI_API_KEY has the key; without that, none is sent.",
  }),
  key_credential: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,255}$/, 'must be the name of a credential, such as "model-key"')
    .refine((name) => name !== '.' && name !== '..', 'must be the name of a credential, such as "model-key"')
    .nullable()
    .default(null)
    .register(z.globalRegistry, {
      description: "Credential of the unit (LoadCredential=) with the server's key, instead of a file.",
    }),
  system_file: absolutePath.nullable().default(null).register(z.globalRegistry, {
    description: "File with the system's message, which each conversation begins with. Read for each turn.",
  }),
  history_messages: count(0, 10_000).default(40).register(z.globalRegistry, {
    description: 'Earlier messages and replies of the session that are sent along, at most.',
  }),
  history_bytes: size(0, 16 * 1024 ** 2)
    .prefault('32K')
    .register(z.globalRegistry, {
      description:
        'Text of earlier messages and replies that is sent along, at most. A token of a model has about four bytes of English.',
    }),
  attachment_bytes: size(0, 64 * 1024 ** 2)
    .prefault('8M')
    .register(z.globalRegistry, {
      description:
        'Files of a message that are sent along, at most: images, texts and PDF. Others are only named. "0": all are.',
    }),
  parameters: z
    .record(
      z.string(),
      z.custom<unknown>(isPlain, 'must be a text, a number, true, false, a list or a table'),
    )
    .superRefine((parameters, context) => {
      for (const name of reservedParameters) {
        if (!Object.hasOwn(parameters, name)) continue;
        context.addIssue({ code: 'custom', path: [name], message: 'is set by the gateway; leave it out' });
      }
    })
    .default({})
    .register(z.globalRegistry, {
      description:
        'Further fields of each request, such as { temperature = 0.2 }. "stream = false" asks for the reply as a whole.',
    }),
};

const reservedParameters = ['model', 'messages', 'n'] as const;

function baseUrlMistake(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return `"${text}" is not an http or https URL, such as "http://127.0.0.1:11434/v1"`;
  }
  // The whole of it is shown by check-config.
  if (url.username !== '' || url.password !== '')
    return 'must have no user name or password; name a key_file';
  if (url.search !== '' || url.hash !== '') return 'must have no "?" or "#"';
  if (/\/chat\/completions\/?$/.test(url.pathname)) return 'must end before "/chat/completions"';
  return null;
}

/** JSON but for null, which TOML has not. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value !== 'object' || value === null || value instanceof Date) return false;
  return Object.values(value).every(isPlain);
}
