import { expect, it } from 'vitest';
import { configurationSchema } from '../../src/config/schema.js';

const webhook = { type: 'webhook', scheme: 'github', token_file: '/etc/hub.secret' };

const matrix = { type: 'matrix', homeserver: 'https://matrix.example.org', token_file: '/etc/mx.token' };

function problems(channels: object): readonly string[] {
  const { error } = configurationSchema.safeParse({ channels });
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

it.each<[table: object, wanted: readonly RegExp[]]>([
  [webhook, []],
  [{ ...webhook, token_file: undefined, token_credential: 'hub' }, []],
  [{ ...webhook, reply_to: { channel: 'webhook', to: 'https://example.org' } }, []],
  [{ ...webhook, reply_to: { channel: 'irc', to: '#dev' } }, []],
  [
    { type: 'webhook', scheme: 'github' },
    [/^channels\.hub\.token_file: must name the file with the secret of the webhook/],
  ],
  [{ ...webhook, scheme: 'gitlab' }, [/^channels\.hub\.scheme: /]],
  [{ ...webhook, message: '{issue.title' }, [/^channels\.hub\.message: has a "\{" alone/]],
  [{ ...webhook, conversation: '' }, [/^channels\.hub\.conversation: must not be empty/]],
  [{ ...webhook, body_limit: '26M' }, [/^channels\.hub\.body_limit: must be from/]],
  [{ ...matrix, allow: ['@ada:example.org', '*'], owners: ['@grace:[::1]:8448'] }, []],
  [{ ...matrix, allow: ['ada'] }, [/^channels\.hub\.allow\.0: must be the id of a user/]],
  [{ ...matrix, owners: ['*'] }, [/^channels\.hub\.owners\.0: must be the id of a user/]],
  [
    { ...matrix, homeserver: 'matrix.example.org' },
    [/^channels\.hub\.homeserver: must be an http or https URL/],
  ],
  [{ ...matrix, homeserver: undefined }, [/^channels\.hub\.homeserver: must be an http or https URL/]],
  [{ ...matrix, token_file: undefined }, [/^channels\.hub\.token_file: must name the file/]],
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
