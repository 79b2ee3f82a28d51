import { expect, it } from 'vitest';
import { messageAt } from '../../../../src/channels/http/streams/event-id.js';
import type { Message } from '../../../../src/store/messages.js';

it('keeps nothing of a message but its number and its id, as each stream that is open has it', async () => {
  const message = { seq: 3, id: 'x', text: 'long', reply: { text: 'long' } } as unknown as Message;
  const store = {
    settledMessages: async () => ({ items: [message], more: false, next: null }),
    message: async () => null,
  };
  expect(await messageAt(store as never, 'a', 3)).toEqual({ seq: 3, id: 'x' });
  expect(await messageAt(store as never, 'a', 2)).toBeNull();
});
