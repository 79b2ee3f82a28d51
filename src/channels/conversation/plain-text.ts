/** U+FFFD stands for what a store can't keep: NUL and unpaired surrogates. */
export function storableText(text: string): string {
  return Buffer.from(text.replaceAll('\0', '\uFFFD')).toString();
}

/** Cuts a text to so many bytes of UTF-8, between two characters. */
export function limitedText(text: string, limitBytes: number): string {
  // Each UTF-16 unit has one byte at least.
  const bytes = Buffer.from(storableText(text.slice(0, limitBytes)));
  if (bytes.length <= limitBytes) return bytes.toString();
  let end = limitBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}

/** Longest name of a person that is shown, in characters. */
const longestName = 64;

/** Control characters, line ends, marks that change the direction or are not seen, and U+FFFD. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\uFFFD]+/gu;

/**
 * A name as its bearer has chosen it, in one line without marks that could pass for something else: no colon, as one ends
 * the name before a text. Null if nothing is left.
 */
export function plainName(name: string | null): string | null {
  const cleaned = (name ?? '')
    .slice(0, 1_024)
    .normalize('NFC')
    .replace(unseen, ' ')
    .replace(/[:：︓﹕]+/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
  const cut = [...cleaned].slice(0, longestName).join('').trim();
  return cut === '' ? null : cut;
}

/** A name within a mark in brackets, which it can't end. */
export function markedName(name: string | null | undefined): string | null {
  return (
    plainName(name ?? null)
      ?.replaceAll('[', '(')
      .replaceAll(']', ')') ?? null
  );
}
