/** A number with its noun, such as "1 turn" and "2 turns"; `plural` if that is not the noun with an s. */
export function counted(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}
