import { askToEnd } from './ask-gateway.js';
import type { ParsedCommand } from './usage.js';

export function run(parsed: ParsedCommand): Promise<number> {
  return askToEnd(parsed, 'stop');
}
