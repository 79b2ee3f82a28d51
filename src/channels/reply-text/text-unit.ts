/** The units in which platforms count text. */
export const textUnits = ['bytes', 'utf-16', 'characters'] as const;

/** `bytes`: of UTF-8. `utf-16`: code units, as JavaScript's `length`. `characters`: Unicode's code points. */
export type TextUnit = (typeof textUnits)[number];

export const sizeOfCharacter: Readonly<Record<TextUnit, (codePoint: number) => number>> = {
  bytes: (codePoint) => (codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4),
  'utf-16': (codePoint) => (codePoint < 0x10000 ? 1 : 2),
  characters: () => 1,
};

export function sizeOfText(text: string, unit: TextUnit): number {
  if (unit === 'utf-16') return text.length;
  if (unit === 'bytes') return Buffer.byteLength(text);
  let size = 0;
  for (const _character of text) size += 1;
  return size;
}
