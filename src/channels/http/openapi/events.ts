import { z } from 'zod';
import { type Described, messageId, sessionOf } from './parts.js';
import { message, messageState, question } from './views.js';

/** The data of events in streams, by the names of the events. */

const position = z.int().min(1).meta({
  description: 'Counts the pieces of the turn over all attempts. Drop an event whose position you have.',
});

const place = {
  session: sessionOf('The session of the stream.'),
  after: z.int().min(0).meta({ description: 'The number of the message behind which the stream begins.' }),
};

const begin = z.object(place).meta({ id: 'BeginEvent', description: 'The first event of a stream.' });

const reset = z
  .object({
    ...place,
    asked_after: z.int().min(0).meta({ description: 'The number that the client came with.' }),
    last_seq: z.int().min(0).meta({ description: 'The number of the last message of the session.' }),
  })
  .meta({
    id: 'ResetEvent',
    description:
      'The first event in the place of `begin`, if the store was restored: read the messages of the session again.',
  });

const state = z
  .object({
    id: messageId('The message.'),
    state: messageState,
  })
  .meta({
    id: 'StateEvent',
    description: 'A message is queued, or its turn begins, or it has become part of another turn.',
  });

const delta = z
  .object({ id: messageId('The message.'), position, text: z.string() })
  .meta({ id: 'DeltaEvent', description: 'The next piece of a reply that is still written.' });

const restart = z
  .object({ id: messageId('The message.'), position })
  .meta({ id: 'RestartEvent', description: 'The turn runs again: all pieces before this one are void.' });

const status = z
  .object({ id: messageId('The message.'), text: z.string() })
  .meta({ id: 'StatusEvent', description: 'One line that says what the agent does now.' });

const asked = question
  .extend({ id: messageId('The message.') })
  .meta({ id: 'QuestionEvent', description: 'An agent asks a person.' });

/** Events of one message's stream, by name. */
export const messageEvents = { state, delta, restart, status, question: asked, message };

/** Events of a session's stream, by name. */
export const sessionEvents = { begin, reset, ...messageEvents };

/** The data of each event. */
export type EventData = {
  readonly [Name in keyof typeof sessionEvents]: Described<(typeof sessionEvents)[Name]>;
};
