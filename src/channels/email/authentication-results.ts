import { withoutComments } from './mailbox.js';

/** The field Authentication-Results (RFC 8601), by which a mail server says who a mail is from. */

interface MethodResult {
  /** Such as "dkim", in lower case. */
  readonly method: string;
  /** Such as "pass", in lower case. */
  readonly result: string;
  /** Such as "header.d", with all of its values; those that come twice are kept twice. */
  readonly properties: readonly (readonly [name: string, value: string])[];
}

interface AuthenticationResults {
  /** In lower case. */
  readonly authservId: string;
  readonly results: readonly MethodResult[];
}

/** Longest field that is read, in characters. */
const longestField = 16_384;

/** Reads a field's value; null if it is none. */
export function readAuthenticationResults(value: string): AuthenticationResults | null {
  if (value.length > longestField) return null;
  const plain = withoutComments(value)?.replace(/\s+/g, ' ');
  if (plain === undefined) return null;
  const [first = '', ...rest] = splitOutsideQuotes(plain, ';');
  // The version, if one is given, is 1.
  const [id = '', version = '1', ...more] = first.trim().split(/\s+/);
  if (!/^[\w.:@-]+$/.test(unquote(id)) || version !== '1' || more.length > 0) return null;
  const results: MethodResult[] = [];
  for (const part of rest) {
    if (/^(?:none)?$/i.test(part.trim())) continue;
    const result = readResult(part);
    if (result === null) return null;
    results.push(result);
  }
  return { authservId: unquote(id).toLowerCase(), results };
}

export interface SenderClaim {
  /** The domain of the only address in From, in lower case. */
  readonly domain: string;
  readonly authservId: string;
  /** The values of all Authentication-Results of the mail, the topmost first. */
  readonly fields: readonly string[];
}

/**
 * Says why nobody vouches for the domain in From; null: the server does. The topmost field alone counts: each field below
 * it may have come with the mail. Of DKIM and SPF, the domain must be that of From itself.
 */
export function reasonToDoubt({ domain, authservId, fields }: SenderClaim): string | null {
  const [top] = fields;
  if (top === undefined) return 'it has no Authentication-Results';
  const read = readAuthenticationResults(top);
  if (read === null) return 'its topmost Authentication-Results can’t be read';
  if (read.authservId !== authservId.toLowerCase()) {
    return `its topmost Authentication-Results is of ${JSON.stringify(read.authservId.slice(0, 100))}, not of the authserv_id`;
  }
  const { results } = read;
  const dmarc = results.filter(({ method }) => method === 'dmarc');
  if (dmarc.some(({ result }) => result === 'fail')) return 'DMARC failed';
  const isAligned = results.some((each) => each.result === 'pass' && vouchesFor(each, domain));
  return isAligned ? null : `neither DMARC nor an aligned DKIM or SPF passed for ${domain}`;
}

function vouchesFor(result: MethodResult, domain: string): boolean {
  const values = (name: string) =>
    result.properties.filter(([each]) => each === name).map(([, value]) => domainOf(value));
  const only = (found: readonly string[]) => found.length === 1 && found[0] === domain;
  switch (result.method) {
    case 'dmarc':
      return only(values('header.from'));
    case 'dkim': {
      const signers = values('header.d');
      // Some servers tell the identity alone, whose domain is the signer's or below it.
      return only(signers.length > 0 ? signers : values('header.i'));
    }
    case 'spf':
      return only(values('smtp.mailfrom'));
    default:
      return false;
  }
}

/** The part behind the last "@", or all of it. */
function domainOf(value: string): string {
  return value.slice(value.lastIndexOf('@') + 1).toLowerCase();
}

/** `dkim=pass reason="…" header.d=example.org` */
function readResult(text: string): MethodResult | null {
  const tokens = splitOutsideQuotes(text.trim().replace(/ ?= ?/g, '='), ' ').filter((token) => token !== '');
  const [first = '', ...rest] = tokens;
  const head = /^([A-Za-z0-9-]+)(?:\/1)?=([A-Za-z]+)$/.exec(first);
  if (head === null) return null;
  const properties: (readonly [string, string])[] = [];
  for (const token of rest) {
    const [, name = '', value = ''] = /^([A-Za-z0-9.-]+)=(.*)$/.exec(token) ?? [];
    if (name === '') return null;
    properties.push([name.toLowerCase(), unquote(value)]);
  }
  return { method: head[1]?.toLowerCase() ?? '', result: head[2]?.toLowerCase() ?? '', properties };
}

function splitOutsideQuotes(text: string, separator: string): readonly string[] {
  const parts = [''];
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '"') isQuoted = !isQuoted;
    const isEscape = isQuoted && character === '\\';
    const isSeparator = !isQuoted && (character === separator || (separator === ' ' && character === '\t'));
    if (isSeparator) {
      parts.push('');
      continue;
    }
    parts[parts.length - 1] += isEscape ? text.slice(at, at + 2) : character;
    if (isEscape) at += 1;
  }
  return parts;
}

function unquote(value: string): string {
  return /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}
