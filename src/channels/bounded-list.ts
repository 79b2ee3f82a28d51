import { z } from 'zod';

/** Items of a list, at most: each that is wrong is a mistake, which takes longer than to send it. */
const mostItems = 1_000;

/** A list whose items are looked at only if there are not too many of them. */
export function boundedList<Item extends z.ZodType>(item: Item, most = mostItems, plural = 'items') {
  return z.array(z.unknown()).max(most, `must have at most ${most} ${plural}`).pipe(z.array(item));
}
