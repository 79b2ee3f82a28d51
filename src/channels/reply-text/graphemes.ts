/** Looks back no further than this for a place to begin, and ahead no further for the end of a character. */
const lookBack = 512;
const lookAhead = 64;

let segmenter: Intl.Segmenter | null = null;

/**
 * The last place up to `latest` between two characters as people see them (UAX #29, extended grapheme clusters); `start`,
 * which is such a place, if there is none behind it.
 */
export function graphemeEnd(text: string, start: number, latest: number): number {
  const begin = beginBefore(text, start, latest);
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  let end = isPlace(text, begin) ? begin : start;
  for (const { index, segment } of segmenter.segment(text.slice(begin, latest + lookAhead))) {
    const next = begin + index + segment.length;
    if (next > latest) break;
    end = next;
  }
  return end;
}

/** Segmentation is slow, so it begins close to the end: where a character surely does, if there is such a place. */
function beginBefore(text: string, start: number, latest: number): number {
  const earliest = Math.max(start, latest - lookBack);
  for (let at = latest; at > earliest; at -= 1) if (isPlace(text, at)) return at;
  // Flags are pairs that only show from the first one.
  if (earliest === start || /[\u{1f1e6}-\u{1f1ff}]/u.test(text.slice(earliest - 1, earliest + 3)))
    return start;
  return /[\udc00-\udfff]/.test(text.charAt(earliest)) ? earliest - 1 : earliest;
}

/** True if a character surely ends here: between two that join nothing. */
function isPlace(text: string, at: number): boolean {
  return isAlone(text.charCodeAt(at - 1)) && isAlone(text.charCodeAt(at));
}

/** Latin and Chinese: none of them is part of a longer character unless a mark follows. */
function isAlone(code: number): boolean {
  return (code >= 0x20 && code < 0x300) || (code >= 0x3400 && code < 0xa000);
}
