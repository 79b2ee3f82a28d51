import type { Plugin } from 'rolldown';

/**
 * Writes what is not ASCII as escapes, in comments too: V8 keeps a script with but one such character in two bytes for
 * each of its characters. In strings, templates and regular expressions an escape means the same, but not to
 * String.raw: a script with that is refused.
 */
export function asciiOnly(): Plugin {
  return {
    name: 'ascii-only',
    renderChunk(code, { fileName }) {
      const escaped = code.replace(
        /[^\0-\x7f]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
      if (escaped !== code && code.includes('String.raw')) {
        throw new Error(
          `${fileName} has characters that are not ASCII, and String.raw, which would show their escapes`,
        );
      }
      return { code: escaped, map: null };
    },
  };
}
