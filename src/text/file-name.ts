/** Longest name of a file, in bytes: that of Linux's file systems (pathconf(3), NAME_MAX). */
const longestNameBytes = 255;

/** Control characters, marks that turn the direction of writing (UAX 9), line ends, and halves of a character. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** Name of a file whose sender gave none that can be used. */
const defaultName = 'file';

/**
 * Makes the name that a stranger gave a file safe to store, to show, and to save under. Directories before it go
 * (RFC 7578, section 4.2), and so does what a terminal or a reader would take for something else. The end of a name that
 * is too long stays, as it says the type.
 */
export function plainFileName(given: string): string {
  const name = (given.split(/[/\\]/).at(-1) ?? '').replace(unsafe, '').normalize('NFC').trim();
  if (/^\.{0,2}$/.test(name)) return defaultName;
  return shortened(name);
}

function shortened(name: string): string {
  if (Buffer.byteLength(name) <= longestNameBytes) return name;
  const extension = /\.[^.\s]{1,16}$/u.exec(name)?.[0] ?? '';
  const characters = [...name.slice(0, name.length - extension.length)];
  let leftBytes = longestNameBytes - Buffer.byteLength(extension);
  const end = characters.findIndex((character) => {
    leftBytes -= Buffer.byteLength(character);
    return leftBytes < 0;
  });
  return characters.slice(0, end).join('') + extension;
}

/** Type and subtype as RFC 9110, section 8.3.1 has them, at most 127 characters each (RFC 6838, section 4.2). */
const mediaTypePattern = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

/** The type and subtype of a media type in lower case; `application/octet-stream` if it is none. */
export function plainMediaType(given: string | null): string {
  const type = (given ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return mediaTypePattern.test(type) ? type : 'application/octet-stream';
}

/** Media types of the files that people send, by the end of their name. */
const typesByExtension: ReadonlyMap<string, string> = new Map(
  Object.entries({
    csv: 'text/csv',
    gif: 'image/gif',
    htm: 'text/html',
    html: 'text/html',
    jpeg: 'image/jpeg',
    jpg: 'image/jpeg',
    json: 'application/json',
    log: 'text/plain',
    md: 'text/markdown',
    mp3: 'audio/mpeg',
    mp4: 'video/mp4',
    ogg: 'audio/ogg',
    pdf: 'application/pdf',
    png: 'image/png',
    svg: 'image/svg+xml',
    txt: 'text/plain',
    wav: 'audio/wav',
    webp: 'image/webp',
    xml: 'application/xml',
    zip: 'application/zip',
  }),
);

/** The media type that the end of a file's name says; `application/octet-stream` if it says none. */
export function mediaTypeOfName(name: string): string {
  const extension = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';
  return typesByExtension.get(extension) ?? 'application/octet-stream';
}

const textTypes = /^(?:text\/.*|application\/(?:json|xml|yaml|toml|javascript|(?:[\w.-]+\+)?(?:json|xml)))$/;

/** True for a plain media type whose content is text. */
export function isTextType(mediaType: string): boolean {
  return textTypes.test(mediaType);
}
