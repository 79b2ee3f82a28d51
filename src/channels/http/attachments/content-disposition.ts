/** Characters of a quoted string (RFC 9110, section 5.6.4) that every client reads alike. */
const notPlain = /[^\x20-\x7e]|["\\%]/gu;

/** Characters that RFC 8187, section 3.2.1 lets stand, and encodeURIComponent does too, but for these. */
const notAttribute = /['()*]/g;

/**
 * The header that has a browser save a file under its name, and never show it (RFC 6266). Clients that know no
 * `filename*` save it under a name in ASCII.
 */
export function attachmentDisposition(name: string): string {
  const fallback = name.replace(notPlain, '_');
  if (fallback === name) return `attachment; filename="${name}"`;
  const encoded = encodeURIComponent(name.replace(/\p{Surrogate}/gu, '\ufffd')).replace(
    notAttribute,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${fallback}"; filename*=UTF-8''${encoded}`;
}
