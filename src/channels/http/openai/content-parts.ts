import { z } from 'zod';
import { boundedList } from '../../bounded-list.js';
import { replyText } from '../request-schema.js';
import { invalid } from './errors.js';

/** The content of messages: texts, images and files, as both kinds of requests have it. */

const url = z.string().min(1);

const part = z.union([
  z.looseObject({ type: z.enum(['text', 'input_text', 'output_text']), text: replyText }),
  z.looseObject({ type: z.literal('refusal'), refusal: replyText }),
  z.looseObject({ type: z.literal('image_url'), image_url: z.looseObject({ url }) }),
  z.looseObject({ type: z.literal('input_image'), image_url: url }),
  z.looseObject({
    type: z.literal('file'),
    file: z.looseObject({ file_data: z.string().min(1), filename: z.string().optional() }),
  }),
  z.looseObject({
    type: z.literal('input_file'),
    file_data: z.string().min(1).nullish(),
    file_url: url.nullish(),
    filename: z.string().nullish(),
  }),
  z.looseObject({
    type: z.literal('input_audio'),
    input_audio: z.looseObject({ data: z.string().min(1), format: z.string() }),
  }),
]);

type Part = z.output<typeof part>;

/** A text, or a list of parts. */
export const content = z.union([replyText, boundedList(part)], {
  error: () =>
    'must be a text or a list of parts: text, image_url, file, input_audio (chat) or input_text, input_image, input_file (responses), each with its content. A file_id is not known here',
});

export type Content = z.output<typeof content>;

/** A file of a message: its bytes, or where they are. */
export type GivenPart =
  | {
      readonly from: 'data';
      readonly name: string;
      readonly mediaType: string | null;
      readonly bytes: Buffer;
    }
  | { readonly from: 'url'; readonly name: string | null; readonly url: string };

export function textOf(given: Content | null | undefined): string {
  if (given === null || given === undefined) return '';
  if (typeof given === 'string') return given;
  return given
    .flatMap((each) =>
      each.type === 'refusal' ? [each.refusal] : 'text' in each ? [each.text as string] : [],
    )
    .join('\n');
}

/** The files among the parts. `path`: the content's own, for errors. Throws an OpenAiError. */
export function filesOf(given: Content | null | undefined, path: string): readonly GivenPart[] {
  if (given === null || given === undefined || typeof given === 'string') return [];
  return given.flatMap((each, index) => fileOf(each, `${path}[${index}]`) ?? []);
}

function fileOf(each: Part, path: string): GivenPart | null {
  switch (each.type) {
    case 'image_url':
      return located((each as { readonly image_url: { readonly url: string } }).image_url.url, null, path);
    case 'input_image':
      return located((each as { readonly image_url: string }).image_url, null, path);
    case 'file': {
      const { file_data, filename = null } = (each as Extract<Part, { file: unknown }>).file;
      return encoded(file_data, filename, path);
    }
    case 'input_file': {
      const { file_data, file_url, filename = null } = each as Extract<Part, { type: 'input_file' }>;
      if (typeof file_data === 'string') return encoded(file_data, filename, path);
      if (typeof file_url === 'string') return located(file_url, filename, path);
      throw invalid(path, `"${path}" must have file_data or file_url; a file_id is not known here`);
    }
    case 'input_audio': {
      const { data, format } = (each as Extract<Part, { input_audio: unknown }>).input_audio;
      return {
        from: 'data',
        name: `audio.${format}`,
        mediaType: `audio/${format}`,
        bytes: base64(data, path),
      };
    }
    default:
      return null;
  }
}

function located(address: string, name: string | null, path: string): GivenPart {
  if (/^data:/i.test(address)) return encoded(address, name, path);
  if (/^https?:\/\//i.test(address) && address.length <= 2_048) return { from: 'url', name, url: address };
  throw invalid(path, `"${path}" must have a data: URL, or an http or https URL of at most 2,048 characters`);
}

/** A data: URL (RFC 2397), or base64 alone. */
function encoded(data: string, filename: string | null, path: string): GivenPart {
  if (!/^data:/i.test(data)) {
    return { from: 'data', name: filename ?? 'file', mediaType: null, bytes: base64(data, path) };
  }
  const comma = data.indexOf(',');
  const head = /^data:([^;,]*)((?:;[^,]*)?)$/i.exec(data.slice(0, Math.max(0, comma)));
  if (head === null) throw invalid(path, `"${path}" has a data: URL that is not well-formed`);
  const [, mediaType = '', parameters = ''] = head;
  const body = data.slice(comma + 1);
  const bytes = /;base64$/i.test(parameters) ? base64(body, path) : Buffer.from(unescaped(body, path));
  return {
    from: 'data',
    name: filename ?? defaultName(mediaType),
    mediaType: mediaType === '' ? 'text/plain' : mediaType,
    bytes,
  };
}

/** `image/png` is `image.png`. */
function defaultName(mediaType: string): string {
  const [, kind = 'file', ending = ''] = /^(\w+)\/([\w.-]+)/.exec(mediaType) ?? [];
  return ending === ''
    ? 'file'
    : `${kind === 'image' ? 'image' : 'file'}.${ending === 'jpeg' ? 'jpg' : ending}`;
}

function unescaped(text: string, path: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(path, `"${path}" has a data: URL with a wrong percent-encoding`);
  }
}

function base64(text: string, path: string): Buffer {
  if (!/^[A-Za-z0-9+/_\s-]*={0,2}\s*$/.test(text)) throw invalid(path, `"${path}" must have base64`);
  return Buffer.from(text, 'base64');
}
