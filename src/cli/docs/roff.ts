/** Text as roff takes it, for man(7): the same glyphs on every device, no request where a line begins with a dot. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll("'", '\\(aq')
    .replace(/[^\n -~]/gu, (character) => {
      const point = character.codePointAt(0) ?? 0;
      return `\\[u${point.toString(16).toUpperCase().padStart(4, '0')}]`;
    })
    .replace(/^\./gm, '\\&.');
}

/** An option, a name, a key: bold. */
export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

/** Sets a word for the reader to replace: italic. */
export function italic(text: string): string {
  return `\\fI${roff(text)}\\fR`;
}

/** A section of paragraphs and lists. */
export function section(title: string, ...lines: readonly string[]): string {
  return [`.SH ${title.includes(' ') ? `"${roff(title)}"` : roff(title)}`, ...lines].join('\n');
}

/** Paragraphs, the first one without a break before it: its heading makes one. */
export function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => (index === 0 ? [text] : ['.PP', text]));
}

/** A term, already roff, and what it means. */
export function item(term: string, ...meaning: readonly string[]): string[] {
  return ['.TP', term, ...meaning];
}

/** Lines that are kept as they are. */
export function literal(lines: readonly string[]): string[] {
  return ['.PP', '.EX', ...lines.map(roff), '.EE'];
}

/**
 * Breaks the lines of text at blanks, as man-pages(7) has them: at most 80 bytes each. Requests and what is kept as
 * it is (.EX) stay.
 */
export function fold(page: string): string {
  let kept = false;
  return page
    .split('\n')
    .map((line) => {
      if (line === '.EX') kept = true;
      if (line === '.EE') kept = false;
      // Beginning with a dot, a word would become a request; after the end of a sentence, two blanks would be set.
      return kept || line.startsWith('.')
        ? line
        : line.replace(/(?=.{81})(.{1,80})(?<![.?!](?:\\\(dq)?) (?=[^.' ])/g, '$1\n');
    })
    .join('\n');
}
