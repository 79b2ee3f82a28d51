/** The author of a mail, read strictly: a form that two programs could read in two ways is none. */

export interface Mailbox {
  /** In lower case. */
  readonly address: string;
  /** In lower case. */
  readonly domain: string;
  /** The words before the address, of which nothing is decoded. */
  readonly displayName: string;
}

const atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const addressPattern = new RegExp(`^${atom}(?:\\.${atom})*@(${label}(?:\\.${label})+)$`);

/** RFC 5321, section 4.5.3.1. */
const longestAddress = 254;
const longestLocalPart = 64;
/** A field that is longer has more than a name and an address, in characters. */
const longestField = 2_000;

/** Reads `ada@example.org`; null if it is no plain address in ASCII with a domain of two labels or more. */
export function readAddress(text: string): Pick<Mailbox, 'address' | 'domain'> | null {
  const [, domain] = addressPattern.exec(text) ?? [];
  if (domain === undefined || text.length > longestAddress) return null;
  if (text.length - domain.length - 1 > longestLocalPart) return null;
  return { address: text.toLowerCase(), domain: domain.toLowerCase() };
}

/**
 * Reads a From field with one mailbox: `Ada <ada@example.org>`, `"L, Ada" <ada@example.org>` or `ada@example.org`. Null
 * for several, for groups, routes, quoted local parts, literals of addresses, and anything behind the address.
 */
export function readMailbox(field: string): Mailbox | null {
  if (field.length > longestField) return null;
  const plain = withoutComments(field)?.replace(/\s+/g, ' ').trim();
  if (plain === undefined) return null;
  const bare = readAddress(plain);
  if (bare !== null) return { ...bare, displayName: '' };
  // A name is quoted or made of atoms; a "<", "@", "," or ":" in it must be within quotes.
  const match = /^((?:"(?:[^"\\]|\\.)*"|[^"<>@,:;\\()[\]])*)<([^<>\s"]+)>$/.exec(plain);
  const address = match === null ? null : readAddress(match[2] ?? '');
  return address === null ? null : { ...address, displayName: unquoted(match?.[1] ?? '') };
}

/** Takes comments out, which may be nested (RFC 5322, section 3.2.2); null if a comment or a quoted text has no end. */
export function withoutComments(text: string): string | null {
  let depth = 0;
  let isQuoted = false;
  let plain = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\' && (isQuoted || depth > 0)) {
      if (depth === 0) plain += text.slice(at, at + 2);
      at += 1;
    } else if (character === '"' && depth === 0) {
      isQuoted = !isQuoted;
      plain += character;
    } else if (character === '(' && !isQuoted) depth += 1;
    else if (character === ')' && !isQuoted) {
      if (depth === 0) return null;
      depth -= 1;
      plain += ' ';
    } else if (depth === 0) plain += character;
  }
  return depth === 0 && !isQuoted ? plain : null;
}

function unquoted(words: string): string {
  return words
    .replace(/"((?:[^"\\]|\\.)*)"/g, (_whole, inner: string) => inner.replace(/\\(.)/g, '$1'))
    .replace(/\s+/g, ' ')
    .trim();
}
