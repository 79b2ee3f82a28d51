import { execFileSync } from 'node:child_process';
import { sign as signForGitHub } from '@octokit/webhooks-methods';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import {
  hasSignature,
  readWebhookSecrets,
  signatureProblem,
  toleranceMs,
} from '../../../src/channels/webhook-in/signatures.js';
import type { WebhookScheme } from '../../../src/config/webhook-keys.js';

const nowMs = 1_731_705_121_000;
const body = '{"type": "ping", "text": "Grüße"}';

const secrets = {
  'standard-webhooks': 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1Q9jS3rU6pc=',
  github: '0123456789abcdef0123456789abcdef',
  stripe: 'whsec_5f4dcc3b5aa765d61d8327deb882cf99',
} as const satisfies Record<WebhookScheme, string>;

const others = {
  'standard-webhooks': 'whsec_plJ3nmyCDGBKInavdOK15jslplJ3nmyCDGBKInavdOK1',
  github: 'another secret'.replace(' ', '-').padEnd(20, 'x'),
  stripe: 'whsec_ffffffffffffffffffffffffffffffff',
} as const satisfies Record<WebhookScheme, string>;

/** Signs as somebody else's program does. */
const signers: Record<
  WebhookScheme,
  (secret: string, text: string, atMs: number) => Promise<Record<string, string>>
> = {
  'standard-webhooks': async (secret, text, atMs) => ({
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(atMs / 1_000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', new Date(atMs), text),
  }),
  github: async (secret, text) => ({ 'x-hub-signature-256': await signForGitHub(secret, text) }),
  // Stripe's own library is large; docs.stripe.com describes the scheme.
  stripe: async (secret, text, atMs) => {
    const time = Math.floor(atMs / 1_000);
    const digest = execFileSync('openssl', ['dgst', '-sha256', '-hmac', secret], {
      input: `${time}.${text}`,
      encoding: 'utf8',
    });
    return { 'stripe-signature': `t=${time},v1=${digest.trim().split(' ').at(-1)},v0=00` };
  },
};

function problem(
  scheme: WebhookScheme,
  headers: Record<string, string>,
  { text = body, keys = secrets[scheme] as string, now = nowMs } = {},
) {
  const request = { headers, body: Buffer.from(text) };
  return signatureProblem(scheme, request, readWebhookSecrets(scheme, keys, 'the file'), now);
}

describe.each(Object.keys(secrets) as WebhookScheme[])('a signature of %s', (scheme) => {
  const sign = (secret: string = secrets[scheme], text = body, atMs = nowMs) =>
    signers[scheme](secret, text, atMs);

  it('is right as the platform makes it', async () => {
    const headers = await sign();
    expect(hasSignature(scheme, headers)).toBe(true);
    expect(problem(scheme, headers)).toBeNull();
  });

  it('is right with each of the secrets in force, and with no other', async () => {
    const keys = `${others[scheme]}\n  ${secrets[scheme]}\n`;
    expect(problem(scheme, await sign(), { keys })).toBeNull();
    expect(problem(scheme, await sign(others[scheme]), { keys })).toBeNull();
    expect(problem(scheme, await sign(others[scheme]))).toBe('wrong-signature');
  });

  it('is wrong for any other body', async () => {
    const headers = await sign();
    expect(problem(scheme, headers, { text: `${body} ` })).toBe('wrong-signature');
    expect(problem(scheme, headers, { text: '' })).toBe('wrong-signature');
  });

  it('is wrong or none once one character of it is another', async () => {
    const headers = await sign();
    const [name = '', value = ''] = Object.entries(headers).at(-1) ?? [];
    fc.assert(
      fc.property(fc.nat(value.length - 1), fc.constantFrom(...'0aF=,+/ v1'), (index, character) => {
        const changed = value.slice(0, index) + character + value.slice(index + 1);
        // A v0 of Stripe’s counts for nothing; base64 has bits that do, too.
        fc.pre(changed !== value && !(scheme === 'stripe' && index > value.indexOf(',v0')));
        fc.pre(!(scheme === 'standard-webhooks' && index === value.length - 2));
        fc.pre(!(scheme === 'standard-webhooks' && index === value.length - 1));
        fc.pre(!(scheme === 'github' && changed.toLowerCase() === value));
        fc.pre(!(scheme === 'stripe' && changed.toLowerCase() === value));
        expect(problem(scheme, { ...headers, [name]: changed })).not.toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  if (scheme !== 'standard-webhooks') {
    it('is none with anything behind it', async () => {
      const headers = await sign();
      const [[name = '', value = ''] = []] = Object.entries(headers);
      const changed = value.replace(/[0-9a-f]{64}/, '$&=');
      expect(problem(scheme, { ...headers, [name]: changed })).toBe('no-signature');
    });
  }

  it('is none without its headers', async () => {
    const headers = await sign();
    for (const name of Object.keys(headers)) {
      const { [name]: _, ...rest } = headers;
      expect(hasSignature(scheme, rest)).toBe(false);
      expect(problem(scheme, rest)).toBe('no-signature');
      expect(problem(scheme, { ...headers, [name]: '' })).toBe('no-signature');
    }
  });

  if (scheme !== 'github') {
    it('holds for five minutes, before and after', async () => {
      const headers = await sign();
      expect(problem(scheme, headers, { now: nowMs + toleranceMs })).toBeNull();
      expect(problem(scheme, headers, { now: nowMs - toleranceMs })).toBeNull();
      expect(problem(scheme, headers, { now: nowMs + toleranceMs + 1_000 })).toBe('wrong-time');
      expect(problem(scheme, headers, { now: nowMs - toleranceMs - 1_000 })).toBe('wrong-time');
    });
  }
});

it('may be one of several, as while the platform changes its secret', async () => {
  const [one, two] = await Promise.all([
    signers['standard-webhooks'](others['standard-webhooks'], body, nowMs),
    signers['standard-webhooks'](secrets['standard-webhooks'], body, nowMs),
  ]);
  const both = `v1a,AAAA ${one['webhook-signature']} ${two['webhook-signature']}`;
  expect(problem('standard-webhooks', { ...two, 'webhook-signature': both })).toBeNull();
  expect(problem('standard-webhooks', { ...two, 'webhook-signature': 'v1a,AAAA' })).toBe('no-signature');
});

it('is right as the documentation of GitHub has it', () => {
  const headers = {
    'x-hub-signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
  };
  const secret = Buffer.from("It's a Secret to Everybody");
  const request = { headers, body: Buffer.from('Hello, World!') };
  expect(signatureProblem('github', request, [secret], nowMs)).toBeNull();
});

describe('secrets', () => {
  it.each([
    ['standard-webhooks', 'whsec_c2hvcnQ=', 'must be "whsec_" followed by 24 to 64 bytes in base64'],
    ['standard-webhooks', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw1Q9jS3rU6pc=', 'must be "whsec_"'],
    ['github', 'too-short', 'must have 16 characters at least'],
    ['stripe', 'whsec_short', 'must be the signing secret of the endpoint'],
  ] as const)('of %s may not be %s', (scheme, secret, message) => {
    const read = () => readWebhookSecrets(scheme, `${secrets[scheme]} ${secret}`, 'the file');
    expect(read).toThrow(`secret 2 of 2 in the file can't be used: it ${message}`);
    expect(read).not.toThrow(secret);
  });

  it('may have the version before them, and are eight at most', () => {
    const { 'standard-webhooks': secret } = secrets;
    expect(readWebhookSecrets('standard-webhooks', `v1,${secret}`, 'the file')).toEqual(
      readWebhookSecrets('standard-webhooks', secret, 'the file'),
    );
    const nine = Array.from({ length: 9 }, () => secret).join('\n');
    expect(() => readWebhookSecrets('standard-webhooks', nine, 'the file')).toThrow('more than 8 secrets');
  });
});
