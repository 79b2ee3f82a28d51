import { z } from 'zod';

/** Items of a list, at most: each that is wrong is a mistake, which takes longer than to send it. */
const mostItems = 1_000;

/** A list whose items are looked at only if there are not too many of them. `least`: how many there are, with what to say of fewer. */
export function boundedList<Item extends z.ZodType>(
  item: Item,
  most = mostItems,
  plural = 'items',
  least: readonly [count: number, mistake: string] = [0, ''],
) {
  const list = z.array(z.unknown()).max(most, `must have at most ${most} ${plural}`);
  return (least[0] === 0 ? list : list.min(...least)).pipe(z.array(item));
}
