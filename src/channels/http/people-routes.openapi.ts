import { z } from 'zod';
import { roles } from '../conversation/roles.js';
import type { Operation } from './openapi/operation.js';
import { type Described, oneOf, time } from './openapi/parts.js';
import { describeMembers } from './openapi/schemas.js';
import { acceptBody, forgetBody } from './request-schema.js';

describeMembers(acceptBody, {
  code: 'The code that the person was given.',
  role: 'An owner may decide for the agent, and for others in a group.',
});
z.globalRegistry.add(acceptBody, { id: 'AcceptedCode', description: 'A person to be let in.' });
describeMembers(forgetBody, {
  id: 'The id of the person on the platform.',
  channel: 'The channel; by default the one that knows the person.',
});
z.globalRegistry.add(forgetBody, { id: 'PersonToForget', description: 'A person to be forgotten.' });

const person = {
  channel: z.string().meta({ examples: ['telegram'] }),
  id: z.string().meta({ description: 'The id on the platform.', examples: ['7351'] }),
  name: z.string().nullable().meta({ description: 'The name that the person goes by, if it is known.' }),
};

const allowed = z
  .object({
    ...person,
    role: oneOf(roles, 'An owner may decide for the agent, and for others in a group.'),
    configured: z.boolean().meta({
      description: 'True if the configuration names the person, false if an operator let them in.',
    }),
    since: time('The time at which the person was let in; null: not known.').nullable(),
  })
  .meta({ id: 'AllowedPerson', description: 'Somebody who may write; the id `*` stands for everybody.' });

const waiting = z
  .object({
    ...person,
    asked_at: time('The time at which the person asked.'),
    expires_at: time('The time at which the code ends.'),
  })
  .meta({ id: 'WaitingPerson', description: 'Somebody who was given a code, and waits.' });

const people = z
  .object({ allowed: z.array(allowed), waiting: z.array(waiting) })
  .meta({ id: 'People', description: 'Who may write by the channels, and who waits.' });

const forgotten = z
  .object({
    id: z.string(),
    channel: z.string(),
    deleted_sessions: z.array(z.string()),
    kept_sessions: z.array(z.string()).meta({ description: 'Sessions with messages of others as well.' }),
    busy_sessions: z.array(z.string()).meta({ description: 'Sessions whose turn has not ended: ask again.' }),
    may_still_write: z.boolean().meta({ description: 'True if the configuration lets the person in.' }),
  })
  .meta({ id: 'ForgottenPerson' });

export type AllowedPersonView = Described<typeof allowed>;
export type WaitingPersonView = Described<typeof waiting>;
export type PeopleView = Described<typeof people>;
export type ForgottenPerson = Described<typeof forgotten>;

export const peopleOperations: readonly Operation[] = [
  {
    method: 'GET',
    url: '/v1/people',
    id: 'listPeople',
    tag: 'People',
    summary: 'List who may write by the channels, and who waits to be let in',
    answers: { 200: { description: 'They.', content: { 'application/json': people } } },
  },
  {
    method: 'POST',
    url: '/v1/people/accept',
    id: 'acceptPerson',
    tag: 'People',
    summary: 'Let in the person who was given a code',
    body: {
      required: true,
      content: { 'application/json': acceptBody },
      examples: { user: { code: 'K7QM2XHD' }, owner: { code: 'K7QM2XHD', role: 'owner' } },
    },
    answers: { 200: { description: 'The person.', content: { 'application/json': allowed } } },
    problems: ['unknown-code'],
  },
  {
    method: 'POST',
    url: '/v1/people/forget',
    id: 'forgetPerson',
    tag: 'People',
    summary: 'Forget a person, and delete what they left',
    body: {
      required: true,
      content: { 'application/json': forgetBody },
      examples: { person: { id: '7351', channel: 'telegram' } },
    },
    answers: { 200: { description: 'What was deleted.', content: { 'application/json': forgotten } } },
    problems: ['unknown-person', 'ambiguous-person'],
  },
];
