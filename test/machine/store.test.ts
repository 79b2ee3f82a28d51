import { expect, it } from 'vitest';
import type { Machine } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

const unit = 'sd-gateway.service';
const database = '/var/lib/sd-gateway/gateway.db';
const archive = '/tmp/messages.jsonl';

/** `sd-gateway …` as root, for the system's unit. */
async function type(machine: Machine, ...words: readonly string[]): Promise<string> {
  return machine.check(['/usr/local/bin/sd-gateway', ...words]);
}

/** The owners of all files of the store, while the unit runs under a user of its own. */
async function owners(machine: Machine): Promise<readonly string[]> {
  const names = await machine.check(['sh', '-c', 'stat --format=%U /var/lib/sd-gateway/* | sort -u']);
  return names.trim().split('\n');
}

describeOnMachine('the store of a unit with a user of its own, seen to by root', (machine) => {
  it('is copied while it runs, and is still the unit’s after an import and a recovery', async () => {
    const from = '/usr/lib/sd-gateway/systemd';
    await machine().check(['sh', '-c', `cp ${from}/*.service /etc/systemd/system/`]);
    await machine().check(['systemctl', 'daemon-reload']);
    await makeShippedUser(machine());
    await machine().check(['systemctl', 'start', unit]);
    expect(await type(machine(), 'send', 'first')).toBe('first\n');
    await type(machine(), 'store', 'check');
    const backup = await type(machine(), 'store', 'backup', '/tmp/copy.db');
    expect(backup).toContain('to /tmp/copy.db: 1 message of 1 session\n');
    expect(await type(machine(), 'store', 'export', archive)).toContain('1 message of 1 session\n');
    const refused = await machine().run(['/usr/local/bin/sd-gateway', 'store', 'recover']);
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('stop the gateway first') });
    expect(await type(machine(), 'send', 'second')).toBe('second\n');
    expect(await owners(machine())).toEqual(['sd-gateway']);

    // Into nothing: not even the directory is there.
    await machine().check(['systemctl', 'stop', unit]);
    await machine().check(['systemctl', 'clean', '--what=state', unit]);
    await type(machine(), 'store', 'import', archive);
    await machine().check(['systemctl', 'start', unit]);
    expect(await type(machine(), 'send', 'third')).toBe('third\n');
    expect(await owners(machine())).toEqual(['sd-gateway']);

    // Into a directory that the unit has already.
    await machine().check(['systemctl', 'stop', unit]);
    await machine().check(['sh', '-c', `rm ${database}*`]);
    await type(machine(), 'store', 'import', archive);
    await type(machine(), 'store', 'recover', '--yes');
    await machine().check(['systemctl', 'start', unit]);
    expect(await type(machine(), 'send', 'fourth')).toBe('fourth\n');
    expect(await owners(machine())).toEqual(['sd-gateway']);
    const { items } = JSON.parse(
      await machine().check([
        'sh',
        '-c',
        'curl -s -H "Authorization: Bearer $(cat /var/lib/sd-gateway/token)" http://127.0.0.1:8733/v1/sessions/cli/messages',
      ]),
    );
    expect(items.map(({ text }: { text: string }) => text)).toEqual(['first', 'fourth']);
    await machine().check(['systemctl', 'stop', unit]);
  });
});
