/**
 * Texts with places for values: `{repository.full_name}` is replaced by a member, `{issue.title|none}` by `none` if there
 * is no such member, and `{{` and `}}` stand for the braces themselves. There is nothing else in it: no code, no loops.
 */

/** A place for a value. */
interface Place {
  readonly path: readonly string[];
  /** Stands there if there is no value. */
  readonly otherwise: string;
}

export type Template = readonly (string | Place)[];

/** A text that is no template; the message goes on after the text's name. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TemplateError';
  }
}

/** A doubled brace, a place, or a brace alone. */
const marks = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

/** @throws TemplateError */
export function parseTemplate(text: string): Template {
  const parts: (string | Place)[] = [];
  let end = 0;
  for (const match of text.matchAll(marks)) {
    const [mark, place] = match;
    parts.push(text.slice(end, match.index));
    end = match.index + mark.length;
    if (place !== undefined) parts.push(placeOf(place));
    else if (mark.length === 2) parts.push(mark.slice(1));
    else throw new TemplateError(`has a "${mark}" alone: write "${mark}${mark}" for the character itself`);
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== '');
}

function placeOf(text: string): Place {
  const bar = text.indexOf('|');
  const name = (bar === -1 ? text : text.slice(0, bar)).trim();
  const path = name.split('.');
  if (path.includes('')) {
    throw new TemplateError(`has "{${text}}", which names nothing: write it as "{issue.title}"`);
  }
  return { path, otherwise: bar === -1 ? '' : text.slice(bar + 1) };
}

/**
 * The template with its values, cut after `limit` characters. Texts stand as they are, lists and objects as JSON.
 *
 * @param lookUp gives undefined or null if there is nothing at the path
 */
export function renderTemplate(
  template: Template,
  lookUp: (path: readonly string[]) => unknown,
  limit: number,
): string {
  let text = '';
  for (const part of template) {
    text += typeof part === 'string' ? part : (textOf(lookUp(part.path)) ?? part.otherwise);
    if (text.length > limit) return cut(text, limit);
  }
  return text;
}

/** The value at a path below a value that JSON.parse gave; undefined: nothing does. An item of a list goes by its number. */
export function memberAt(value: unknown, path: readonly string[]): unknown {
  let member = value;
  for (const name of path) {
    if (typeof member !== 'object' || member === null || !Object.hasOwn(member, name)) return undefined;
    member = (member as Readonly<Record<string, unknown>>)[name];
  }
  return member;
}

function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Ends with "…", and halves no character. */
function cut(text: string, limit: number): string {
  return `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
