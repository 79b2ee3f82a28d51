import { createHash } from 'node:crypto';

/** Whose a file is: as it was written here, written here and edited since, or somebody else’s. */
export type Ownership = 'own' | 'edited' | 'foreign';

const header = /^# Written by "sd-gateway install"; sha256 of the lines below: ([0-9a-f]{64})\n/;

function hashOf(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** The text below a first line that says who wrote it, and holds the hash that tells an edit by hand. */
export function seal(body: string): string {
  return `# Written by "sd-gateway install"; sha256 of the lines below: ${hashOf(body)}\n${body}`;
}

/** Judges a file by its first line and its hash. */
export function judge(text: string): Ownership {
  const match = header.exec(text);
  if (match === null) return 'foreign';
  return hashOf(text.slice(match[0].length)) === match[1] ? 'own' : 'edited';
}

/** A sealed text without its hash, which tells a reader of a difference nothing. */
export function withoutHash(text: string): string {
  return text.replace(header, (line, hash: string) => line.replace(hash, '…'));
}
