import type { Record } from '../record.js';

/** To a receiver that does not go by the key a reply is posted again only if it has refused each attempt before. */
export function attempts({ attempts: events }: Pick<Record, 'attempts'>): string[] {
  const open = new Set<string>();
  const found: string[] = [];
  for (const { key, what } of events) {
    if (what === 'refused') open.delete(key);
    else if (open.has(key)) found.push(`${key}: it was posted again, and nobody knew whether it had arrived`);
    else open.add(key);
  }
  return found;
}

/** Counts the attempts that followed one that the receiver had refused. */
export function attemptsAfterRefusal({ attempts: events }: Pick<Record, 'attempts'>): number {
  const arrived = events.filter(({ what }) => what === 'arrived');
  return arrived.length - new Set(arrived.map(({ key }) => key)).size;
}
