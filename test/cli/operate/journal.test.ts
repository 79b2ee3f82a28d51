import { expect, it } from 'vitest';
import { errorsOf } from '../../../src/cli/operate/journal.js';
import { managerMessages } from '../../../src/manager/journal.js';
import { fakeProgram } from '../../manager/fake-program.js';
import { unit } from './samples.js';

/** As that of systemd 252 chooses: with --since, --lines means the oldest so many unless it goes backwards. */
const journalctl = `
const records = Array.from({ length: 9 }, (_, index) => ({ MESSAGE: String(index + 1), PRIORITY: '3' }));
records.push({ MESSAGE: 'Failed to start', PRIORITY: '3', MESSAGE_ID: '${managerMessages.unitFailed}' });
const has = (option) => process.argv.some((word) => word === option || word.startsWith(option + '='));
const lines = Number(process.argv.find((word) => word.startsWith('--lines=')).slice('--lines='.length));
const chosen = has('--reverse')
  ? records.reverse().slice(0, lines)
  : has('--since')
    ? records.slice(0, lines)
    : records.slice(-lines);
for (const record of chosen) console.log(JSON.stringify(record));
`;

it.each([
  ['since its start', unit()],
  ['of one that never had a process', unit({ lastMain: null })],
])('shows the newest errors %s, oldest first', async (_which, facts) => {
  fakeProgram('journalctl', journalctl);
  const lines = await errorsOf(facts, 3);
  expect(lines.map(({ message }) => message)).toEqual(['7', '8', '9']);
});

it('reads the journal of the unit’s LogNamespace= beside the manager’s', async () => {
  fakeProgram(
    'journalctl',
    `console.log(JSON.stringify({ MESSAGE: process.argv.slice(2).find((word) => word.startsWith('--namespace')) ?? 'none', PRIORITY: '3' }));`,
  );
  const message = async (logNamespace: string | null) =>
    (await errorsOf(unit({ logNamespace }), 3))[0]?.message;
  expect(await message('agents')).toBe('--namespace=+agents');
  expect(await message(null)).toBe('none');
});
