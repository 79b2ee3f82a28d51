import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import {
  createWebhookSecret,
  parseWebhookSecrets,
  signWebhook,
} from '../../../../src/gateway/delivery/webhook/webhook-request.js';

const now = () => Math.floor(Date.now() / 1_000);

describe('signatures', () => {
  test('are what the reference library makes and takes', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^msg_[A-Za-z0-9]{1,40}$/),
        fc.json(),
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        (id, body, key) => {
          const secret = `whsec_${Buffer.from(key).toString('base64')}`;
          const headers = signWebhook(id, now(), body, parseWebhookSecrets(secret));
          expect(
            new Webhook(secret).sign(id, new Date(Number(headers['webhook-timestamp']) * 1_000), body),
          ).toBe(headers['webhook-signature']);
          expect(new Webhook(secret).verify(body, { ...headers })).toEqual(JSON.parse(body));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('of each secret, so that receivers may know the old one or the new one', () => {
    const secrets = [createWebhookSecret(), createWebhookSecret()];
    const headers = { ...signWebhook('msg_1', now(), '{}', parseWebhookSecrets(secrets.join('\n'))) };
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
    for (const secret of secrets) expect(new Webhook(secret).verify('{}', headers)).toEqual({});
    expect(() => new Webhook(createWebhookSecret()).verify('{}', headers)).toThrow();
    expect(() => new Webhook(secrets[0] ?? '').verify('{"a":1}', headers)).toThrow();
  });
});

describe('secrets', () => {
  test('are read back as they are made', () => {
    expect(parseWebhookSecrets(` ${createWebhookSecret()}\n`)).toHaveLength(1);
  });

  test.each([
    ['', /no secret in the webhook-secret/],
    ['  \n', /no secret in the webhook-secret/],
    ['secret', /Secret 1 of 1/],
    [randomBytes(32).toString('base64'), /Secret 1 of 1/],
    [`whsec_${randomBytes(23).toString('base64')}`, /24 to 64/],
    [`whsec_${randomBytes(65).toString('base64')}`, /24 to 64/],
    [`whsec_${randomBytes(24).toString('base64')}!`, /Secret 1 of 1/],
    [`${createWebhookSecret()} other`, /Secret 2 of 2/],
  ])('%j is refused', (text, message) => {
    expect(() => parseWebhookSecrets(text)).toThrow(message);
  });

  test('a refused one is not repeated in the message', () => {
    const wrong = `whsec-${randomBytes(24).toString('base64')}`;
    expect(() => parseWebhookSecrets(wrong)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(wrong) }),
    );
  });
});
