import { operate } from './operate.js';
import type { ParsedCommand } from './usage.js';

export function run(parsed: ParsedCommand): Promise<number> {
  return operate(parsed, 'restart');
}
