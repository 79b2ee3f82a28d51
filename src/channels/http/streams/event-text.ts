import type { EventData } from '../openapi/events.js';

/** An event of a stream, as the stream has it. Fields that come before these, such as `id`, are put in front. */
export function eventText<Name extends keyof EventData>(event: Name, data: EventData[Name]): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
