import { describe, expect, it } from 'vitest';
import { isWanted, readEvent } from '../../../src/channels/webhook-in/event.js';

const github = {
  'x-github-event': 'issues',
  'x-github-delivery': 'f00-1',
  'content-type': 'application/json',
};

function event(
  scheme: Parameters<typeof readEvent>[0],
  headers: Record<string, string>,
  body: string | Buffer,
) {
  return readEvent(scheme, { headers, body: Buffer.from(body) });
}

describe('an event', () => {
  it('of GitHub has its type from the header and the action', () => {
    expect(event('github', github, '{"action":"opened"}')).toMatchObject({
      id: 'f00-1',
      type: 'issues.opened',
      payload: { value: { action: 'opened' } },
    });
    expect(event('github', { ...github, 'x-github-event': 'push' }, '{}').type).toBe('push');
  });

  it('of GitHub may come as a form, as its webhooks do unless they are set to JSON', () => {
    const headers = { ...github, 'content-type': 'application/x-www-form-urlencoded' };
    const read = event('github', headers, 'payload=%7B%22action%22%3A%22a+b%22%7D');
    expect(read.payload).toEqual({ value: { action: 'a b' } });
    expect(read.source.toString()).toBe('{"action":"a b"}');
  });

  it('of Stripe has its id and type in the payload', () => {
    const body = '{"id":"evt_1","type":"invoice.paid"}';
    expect(event('stripe', {}, body)).toMatchObject({ id: 'evt_1', type: 'invoice.paid' });
  });

  it('of Standard Webhooks has its id in the header', () => {
    const body = '{"type":"user.created"}';
    expect(event('standard-webhooks', { 'webhook-id': 'msg_1' }, body)).toMatchObject({
      id: 'msg_1',
      type: 'user.created',
    });
  });

  it.each([
    ['none', 'github', {}, '{"a":1}'],
    ['one of another kind', 'stripe', {}, '{"id":7}'],
    ['one with a space', 'github', { 'x-github-delivery': 'a b' }, '{}'],
    ['one that is too long', 'stripe', {}, `{"id":"${'x'.repeat(256)}"}`],
  ] as const)('gets an id where it has %s, the same again', (_name, scheme, headers, body) => {
    const { id } = event(scheme, headers, body);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(event(scheme, headers, body).id).toBe(id);
    expect(event(scheme, {}, '{"id":"\\u0001"}').id).not.toBe(id);
  });

  it.each([['{'], [''], [Buffer.from([0x22, 0xff, 0x22])], ['payload']])('may be no JSON: %j', (body) => {
    const read = event('github', github, body);
    expect(read).toMatchObject({ id: 'f00-1', type: 'issues', payload: null });
    expect(read.source).toEqual(Buffer.from(body));
  });
});

it.each([
  ['push', [], true],
  ['', [], true],
  ['push', ['push'], true],
  ['issues.opened', ['push', 'issues'], true],
  ['issues.opened', ['issues.opened'], true],
  ['issues.opened', ['issues.open'], false],
  ['issues', ['issues.opened'], false],
  ['', ['push'], false],
])('the type %j is in %j: %s', (type, only, wanted) => {
  expect(isWanted(type, only)).toBe(wanted);
});
