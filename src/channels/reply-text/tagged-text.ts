import type { StyledText, TextStyle } from './styled-text.js';

/** Text with tags of HTML around its runs: pure functions. */

export interface Tag {
  readonly open: string;
  readonly close: string;
}

/** Tags that neighbouring runs share stay open. `tagsOf`: those of a style, from the outside to the inside. */
export function taggedText(
  text: StyledText,
  tagsOf: (style: TextStyle) => readonly Tag[],
  textOf: (run: string, style: TextStyle) => string = escapedHtml,
): string {
  let html = '';
  let open: readonly Tag[] = [];
  const close = (from: number) => {
    for (const tag of open.slice(from).reverse()) html += tag.close;
  };
  for (const { text: run, style } of text) {
    const tags = tagsOf(style);
    let same = 0;
    while (same < open.length && open[same]?.open === tags[same]?.open) same += 1;
    close(same);
    for (const tag of tags.slice(same)) html += tag.open;
    html += textOf(run, style);
    open = tags;
  }
  close(0);
  return html;
}

export function tagOf(name: string): Tag {
  return { open: `<${name}>`, close: `</${name}>` };
}

/** `language`: empty if it is not known. */
export function codeBlockTag(language: string): Tag {
  if (language === '') return tagOf('pre');
  return { open: `<pre><code class="language-${escapedHtml(language)}">`, close: '</code></pre>' };
}

export function linkTag(url: string): Tag {
  return { open: `<a href="${escapedHtml(url)}">`, close: '</a>' };
}

/** Bytes of the tags of a style. */
export function tagBytes(tags: readonly Tag[]): number {
  return tags.reduce((sum, { open, close }) => sum + Buffer.byteLength(open) + close.length, 0);
}

export function escapedHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => escapes[character] ?? '');
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** Bytes of a character that is escaped; undefined: it is not. */
export function escapedCharacterBytes(codePoint: number): number | undefined {
  return escapedBytes.get(codePoint);
}

const escapedBytes = new Map(
  Object.entries(escapes).map(([character, entity]) => [character.codePointAt(0), entity.length]),
);
