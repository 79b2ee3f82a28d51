/**
 * Reads Telegram's HTML as its published rules have it, and gives the text behind the markup. Throws for what the server
 * refuses, and for nesting that it does not keep.
 */
export function parseTelegramHtml(html: string): string {
  const open: string[] = [];
  let text = '';
  let at = 0;
  const within = (...names: readonly string[]) => open.some((name) => names.includes(name));
  for (const { index, 0: tag, 1: slash, 2: name = '', 3: attributes = '' } of html.matchAll(
    /<(\/?)([a-z]+)((?: [a-z]+="[^"<>]*")*)>/g,
  )) {
    text += unescaped(html.slice(at, index));
    at = index + tag.length;
    if (slash === '/') {
      if (open.pop() !== name) throw new Error(`unmatched end tag ${tag}`);
      continue;
    }
    if (!['b', 'i', 's', 'a', 'code', 'pre', 'blockquote'].includes(name))
      throw new Error(`unsupported tag ${tag}`);
    const isCodeOfPre = name === 'code' && open.at(-1) === 'pre' && html.slice(0, index).endsWith('<pre>');
    if (within('code', 'pre') && !isCodeOfPre) throw new Error(`${tag} in code`);
    if (name === 'blockquote' && open.length > 0) throw new Error('a nested quote');
    if (['code', 'pre'].includes(name) && within('b', 'i', 's', 'a'))
      throw new Error(`${tag} in ${open.join()}`);
    if (within(name)) throw new Error(`${tag} twice`);
    const expected = name === 'a' ? /^ href="[^"]+"$/ : isCodeOfPre ? /^ class="language-[^"\s]+"$/ : /^$/;
    if (!expected.test(attributes)) throw new Error(`attributes of ${tag}`);
    open.push(name);
  }
  text += unescaped(html.slice(at));
  if (open.length > 0) throw new Error(`unclosed ${open.join()}`);
  return text;
}

function unescaped(text: string): string {
  if (/[<>"]|&(?!(?:amp|lt|gt|quot);)/.test(text)) throw new Error(`unescaped: ${text}`);
  const characters: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
  return text.replace(/&(amp|lt|gt|quot);/g, (_all, name: string) => characters[name] ?? '');
}
