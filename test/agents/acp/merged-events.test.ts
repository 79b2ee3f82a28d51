import { expect, test } from 'vitest';
import { MergedEvents } from '../../../src/agents/acp/merged-events.js';

// To look at all that waits for each event would take minutes.
test('events of a reader that is far behind become few, and no text is lost', async () => {
  const events = new MergedEvents();
  for (let at = 0; at < 200_000; at += 1) {
    events.push({ type: 'status', text: `${at}` });
    events.push({ type: 'delta', text: 'x' });
  }
  events.end();
  let text = '';
  let count = 0;
  for await (const event of events) {
    count += 1;
    if (event.type === 'delta') text += event.text;
  }
  expect(text).toBe('x'.repeat(200_000));
  expect(count).toBeLessThanOrEqual(1_001);
});
