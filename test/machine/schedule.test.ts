import { beforeAll, describe, expect, it } from 'vitest';
import type { User } from './harness/machine.js';
import { makeShippedUser } from './harness/shipped-user.js';
import { describeOnMachine } from './harness/suite.js';

const timer = 'sd-gateway-schedule:tick.timer';
const service = 'sd-gateway-schedule:tick.service';

describeOnMachine('sd-gateway schedule', (machine) => {
  const command = (words: readonly string[], user?: User) =>
    machine().run(['sd-gateway', 'schedule', ...words], user === undefined ? {} : { user });
  const check = (...words: readonly string[]) => machine().check(['sd-gateway', 'schedule', ...words]);

  /** Texts of the session's messages. */
  const texts = async (session: string): Promise<readonly string[]> => {
    const { stdout } = await machine().run(['sd-gateway', 'messages', session, '--json']);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { readonly text: string }).text);
  };

  /** The elapses that the service says it has posted, in seconds since the Unix epoch. */
  const posted = async (): Promise<readonly number[]> =>
    (await machine().journal(`--unit=${service}`)).flatMap(({ MESSAGE = '' }) => {
      const time = /^Posted tick of (.*)$/.exec(MESSAGE)?.[1];
      return time === undefined ? [] : [Date.parse(time) / 1_000];
    });

  let anna: User;
  beforeAll(async () => {
    await makeShippedUser(machine());
    await machine().check(['sd-gateway', 'install', '--now'], { timeout: 80_000 });
    anna = await machine().addUser('anna', 1_611);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ['no name', ['add'], 64, /add needs NAME and TEXT/],
    ['a wrong name', ['add', 'a/b', 'x'], 64, /"a\/b" is no name of a schedule/],
    ['no text', ['add', 'a'], 64, /add needs TEXT/],
    ['no time', ['add', 'a', 'x', '-s', 's'], 64, /add needs --on-calendar/],
    ['no session', ['add', 'a', 'x', '--on-calendar', 'hourly'], 64, /add needs --session/],
    [
      'a wrong session',
      ['add', 'a', 'x', '-s', 'a b', '--on-calendar', 'hourly'],
      64,
      /--session must be 1 to 128/,
    ],
    [
      'a wrong target',
      ['add', 'a', 'x', '-s', 's', '--on-calendar', 'hourly', '--reply-to', 'nowhere'],
      64,
      /--reply-to needs CHANNEL:ADDRESS or a URL/,
    ],
    [
      'a wrong time',
      ['add', 'a', 'x', '-s', 's', '--on-calendar', 'Mun 08:00'],
      64,
      /--on-calendar: Failed to parse calendar specification 'Mun 08:00'.*systemd\.time\(7\)/,
    ],
    [
      'a time that is over',
      ['add', 'a', 'x', '-s', 's', '--on-calendar', '2020-01-01'],
      64,
      /--on-calendar: "2020-01-01" never comes again/,
    ],
    [
      'no unit',
      ['add', 'a', 'x', '-s', 's', '--on-calendar', 'hourly', '--instance', 'none'],
      4,
      /no unit of this gateway.*sd-gateway install --now --instance none/,
    ],
    ['a name that is not there', ['remove', 'nobody'], 1, /there is no schedule nobody/],
  ])('refuses %s', async (_what, words, status, reason) => {
    const ended = await command(words);
    expect(ended.stderr).toMatch(reason);
    expect(ended.status).toBe(status);
  });

  it('names sudo to who may not change units of the system', async () => {
    const words = ['add', 'a', 'x', '-s', 's', '--on-calendar', 'hourly', '--system'];
    const ended = await command(words, anna);
    expect(ended).toMatchObject({ status: 77, stdout: '' });
    expect(ended.stderr).toBe(
      'sd-gateway: only root can change the units of the system: sudo sd-gateway schedule add …\n',
    );
  });

  describe('a timer of each second', () => {
    it('is added once, with files that the gateway alone reads', async () => {
      const added = await check('add', 'tick', 'the tick text', '-s', 'ticks', '--on-calendar', '*:*:*');
      expect(added).toMatch(new RegExp(`^Added ${timer}; it posts at\n(  .* UTC\n){5}$`));
      const again = await command(['add', 'tick', 'x', '-s', 'ticks', '--on-calendar', '*:*:*']);
      expect(again.status).toBe(1);
      expect(again.stderr).toContain('there is a schedule tick already');
      expect(again.stderr).toContain('sd-gateway schedule remove tick');
      const file = '/var/lib/sd-gateway/schedules/tick.json';
      expect(await machine().check(['stat', '--format=%a %U', file])).toBe('600 sd-gateway\n');
      const units = await machine().check([
        'cat',
        `/etc/systemd/system/${timer}`,
        `/etc/systemd/system/${service}`,
      ]);
      expect(units).not.toMatch(/ticks|the tick text/);
      expect(units).toContain('\nUser=sd-gateway\n');
      expect(units).toContain('\nProtectSystem=strict\n');
      // systemd-analyze verify takes what follows a ":" for an alias: systemd itself complains of lines that it ignores.
      const complaints = await machine().run(['journalctl', '--grep', 'schedule:tick.*ignoring', '_PID=1']);
      expect(complaints.stdout).not.toContain('schedule:tick');
    });

    it('posts each elapse once, over a gateway that is down and a machine that restarts', async () => {
      const seconds = (count: number) =>
        expect.poll(async () => (await posted()).length, { timeout: 60_000 }).toBeGreaterThanOrEqual(count);
      await seconds(3);
      await machine().check(['systemctl', 'stop', 'sd-gateway']);
      await expect
        .poll(async () => JSON.parse(await check('list', '--json')), { timeout: 60_000 })
        .toMatchObject({
          schedules: [
            { name: 'tick', session: 'ticks', state: 'active', waiting: expect.toSatisfy((n) => n > 0) },
          ],
        });
      // The shutdown ends both; the boot starts what is enabled.
      await machine().check(['systemctl', 'stop', timer, service]);
      for (const unit of [timer, service])
        expect(await machine().check(['systemctl', 'is-enabled', unit])).toBe('enabled\n');
      await machine().run(['systemctl', 'start', timer]);
      await machine().run(['systemctl', 'start', '--no-block', service]);
      const before = (await posted()).length;
      await machine().check(['systemctl', 'start', 'sd-gateway']);
      await seconds(before + 8);
      const shown = await check('list');
      expect(shown).toMatch(/^tick: \*-\*-\* \*:\*:\*, session ticks\n {2}next .* UTC, last .* UTC: /);
      await machine().check(['systemctl', 'stop', timer, service]);

      const all = await posted();
      const [first = 0] = all;
      expect(all).toEqual(all.map((_, index) => first + index));
      expect(await texts('ticks')).toEqual(all.map(() => 'the tick text'));
    });

    it('posts nothing twice that a crash has left unrecorded', async () => {
      const file = '/var/lib/sd-gateway/schedules/tick.progress';
      const all = await posted();
      const count = (await texts('ticks')).length;
      const pending = JSON.stringify({ last: all.at(-1), pending: all.slice(-2) });
      await machine().check(['sh', '-c', `printf '%s' '${pending}' >${file}`]);
      const since = Date.now();
      await machine().check(['systemctl', 'start', service]);
      const after = await posted();
      expect(after.slice(all.length, all.length + 2)).toEqual(all.slice(-2));
      // Those of the meantime are new.
      const fresh = new Set(after).size - all.length;
      expect((await texts('ticks')).length).toBe(count + fresh);
      expect(since).toBeGreaterThan((all.at(-1) ?? 0) * 1_000);
    });

    it('is removed with all of its files', async () => {
      await machine().check(['systemctl', 'start', timer]);
      const removed = await check('remove', 'tick');
      expect(removed).toContain(`Removed /etc/systemd/system/${timer}\n`);
      const left = await machine().run([
        'sh',
        '-c',
        'find /etc/systemd /var/lib/sd-gateway /var/lib/systemd -name "*schedule*"',
      ]);
      expect(left.stdout).toBe('');
      expect(await check('list')).toBe('There is no schedule\n');
      const shown = await machine().check(['systemctl', 'list-units', '--all', '--no-legend', '*schedule*']);
      expect(shown).toBe('');
    });
  });

  it('goes with the unit of the gateway', async () => {
    await check('add', 'news', 'x', '-s', 's', '--on-calendar', 'daily');
    const seen = await command(['list', '--system'], anna);
    expect(seen.status).toBe(0);
    expect(seen.stdout).toMatch(/^news: \*-\*-\* 00:00:00, session \?\n.*not run since the boot\n.*EACCES/);
    expect(await machine().check(['sd-gateway', 'status', '--all'])).not.toContain('schedule');
    const said = await machine().check(['sd-gateway', 'uninstall']);
    expect(said).toContain('Removed the schedule news\n');
    expect((await machine().run(['ls', '/var/lib/sd-gateway/schedules'])).status).toBe(2);
    expect((await machine().check(['ls', '/etc/systemd/system'])).includes('schedule')).toBe(false);
  });

  it('works for a unit of a user, and for an instance', async () => {
    const as = { user: anna, timeout: 80_000 };
    await machine().check(['sd-gateway', 'install', '--now', '--yes', '--instance', 'own'], as);
    const words = [
      'schedule',
      'add',
      'tick',
      'of anna',
      '-s',
      'mine',
      '--on-calendar',
      '*:*:*',
      '--instance',
      'own',
    ];
    await machine().check(['sd-gateway', ...words], as);
    await expect
      .poll(
        async () => (await machine().run(['sd-gateway', 'messages', 'mine', '--instance', 'own'], as)).stdout,
        { timeout: 60_000 },
      )
      .toContain('of anna');
    await machine().check(['sd-gateway', 'schedule', 'remove', 'tick', '--instance', 'own'], as);
    await machine().check(['sd-gateway', 'uninstall', '--instance', 'own'], as);
  });
});
