import { expect, it } from 'vitest';
import { configurationSchema } from '../../src/config/schema.js';

const webhook = { type: 'webhook', scheme: 'github', token_file: '/etc/hub.secret' };

function problems(channels: object): readonly string[] {
  const { error } = configurationSchema.safeParse({ channels });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

it.each<[table: object, wanted: readonly RegExp[]]>([
  [webhook, []],
  [{ ...webhook, token_file: undefined, token_credential: 'hub' }, []],
  [{ ...webhook, reply_to: { channel: 'webhook', to: 'https://example.org' } }, []],
  [{ ...webhook, reply_to: { channel: 'irc', to: '#dev' } }, []],
  [{ type: 'webhook', scheme: 'github' }, [/^channels\.hub\.token_file: a webhook needs a secret/]],
  [{ ...webhook, scheme: 'gitlab' }, [/^channels\.hub\.scheme: /]],
  [{ ...webhook, message: '{issue.title' }, [/^channels\.hub\.message: has a "\{" alone/]],
  [{ ...webhook, conversation: '' }, [/^channels\.hub\.conversation: must not be empty/]],
  [{ ...webhook, body_limit: '26M' }, [/^channels\.hub\.body_limit: must be from/]],
  [{ ...webhook, allow: ['ada'] }, [/^channels\.hub: Unrecognized key/]],
  [
    { ...webhook, reply_to: { channel: 'ircc', to: '#dev' } },
    [/^channels\.hub\.reply_to\.channel: there is no channel "ircc"; did you mean "irc"\?$/],
  ],
])('%o', (table, wanted) => {
  const found = problems({ hub: table, irc: { type: 'command', command: ['/bin/irc'] } });
  expect(found).toHaveLength(wanted.length);
  for (const [index, pattern] of wanted.entries()) expect(found[index]).toMatch(pattern);
});
