import { storableText } from '../conversation/plain-text.js';

/**
 * Reads the text of a message (docs.slack.dev/messaging/formatting-message-text): "<@U1>", "<#C1|general>", "<!here>" and
 * "<https://a.example|label>" become words, and the three escaped characters themselves. Pure functions.
 */

/** The names of people that are known; null: this one's is not. */
export type NameOf = (user: string) => string | null;

const mention = /<@([UW][A-Z0-9]{1,30})(?:\|[^<>]*)?>/g;
/** So many names are looked up for one text. */
const mostNames = 10;

/** Ids of the people whom the text names. */
export function mentionedIn(text: string): readonly string[] {
  const ids = [...text.matchAll(mention)].map(([, id = '']) => id);
  return [...new Set(ids)].slice(0, mostNames);
}

export function mentions(text: string, user: string): boolean {
  return [...text.matchAll(mention)].some(([, id]) => id === user);
}

/** The text as people see it. A name of the bot at its beginning is only a way to call it. */
export function readText(
  text: string,
  bot: { readonly userId: string; readonly name: string },
  nameOf: NameOf,
): string {
  const called = new RegExp(`^\\s*<@${bot.userId}(?:\\|[^<>]*)?>[\\s,:]*`).exec(text)?.[0] ?? '';
  const rest = text.slice(called.length);
  const body = rest.trim() === '' ? text : rest;
  const shown = body.replace(/<([^<>]*)>/g, (whole, inner: string) => {
    const at = inner.indexOf('|');
    const target = at < 0 ? inner : inner.slice(0, at);
    const label = at < 0 ? '' : inner.slice(at + 1);
    if (/^@[UW]/.test(target)) {
      const id = target.slice(1);
      return `@${id === bot.userId ? bot.name : (nameOf(id) ?? (label || id))}`;
    }
    if (target.startsWith('#')) return `#${label || target.slice(1)}`;
    if (target.startsWith('!')) return label || `@${target.slice(1).replace(/^subteam\^/, '')}`;
    if (!/^(?:https?|mailto|tel|slack|ftp):/.test(target)) return whole;
    const bare = target.replace(/^(?:mailto|tel):/, '');
    return label === '' || label === bare || label === target ? bare : `${label} (${target})`;
  });
  return storableText(unescaped(shown));
}

function unescaped(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
