import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { lmtpPlatform } from '../crash/channels/mail.js';
import { type Platform, rowOf } from '../crash/channels/platform.js';
import { programPlatform } from '../crash/channels/program.js';
import { describeOnMachine } from './harness/suite.js';
import { GatewayUnit } from './harness/unit.js';

/** Messages that are under way when the unit is stopped, restarted or killed, in each chat. */
const underWay = 5;

/** The texts of a chat as its person sees them; a mail that comes twice has one Message-ID, and is one. */
function seenIn(platform: Platform, session: string): readonly string[] {
  const texts = platform.shown().flatMap((shown) => (shown.session === session ? [shown.text] : []));
  return platform.kind === 'lmtp' ? texts.filter((text, index) => text !== texts[index - 1]) : texts;
}

describeOnMachine('channels under systemd', (machine) => {
  it('lose nothing, and answer in order, through a stop, a restart and a kill', async () => {
    await machine().check(['install', '--directory', '--owner=daemon', '/run/tester']);
    const platforms = await Promise.all([
      programPlatform(machine(), 'reconcile', 'well'),
      lmtpPlatform(machine(), rowOf('lmtp')),
    ]);
    const service = ['User=daemon', 'Restart=always', 'RestartSec=10ms'];
    const gateway = await GatewayUnit.install(machine(), { name: 'channels', service });
    /** @param ofOwn keys of the channel whose code is the gateway's own */
    const configure = (ofOwn: string) =>
      machine().writeFile(
        gateway.configurationFile,
        platforms
          .map(({ kind, table }) => [kind, `${table}required = true\n${kind === 'lmtp' ? ofOwn : ''}`])
          .map(([kind, table]) => `[channels.${kind}]\n${table}`)
          .join(''),
      );
    const chats = platforms.flatMap((platform) =>
      platform.sessions.map((session) => ({ platform, session, written: [] as string[] })),
    );
    const write = () => {
      for (const { platform, session, written } of chats) {
        const text = `message ${written.push('')} of ${session}`;
        written[written.length - 1] = text;
        platform.write(session, text);
      }
    };
    const answered = async () => {
      const isAnswered = ({ platform, session, written }: (typeof chats)[number]) =>
        seenIn(platform, session).at(-1) === written.at(-1);
      while (!chats.every(isAnswered)) await pause(20);
    };

    const survives = async (happen: () => Promise<unknown>) => {
      for (let left = underWay; left > 0; left -= 1) write();
      await happen();
      write();
      await answered();
    };
    await configure('');
    await gateway.succeed('start');
    write();
    await answered();
    const happenings = [
      async () => {
        await gateway.succeed('stop');
        expect(await gateway.result()).toMatchObject({ ActiveState: 'inactive', Result: 'success' });
        write();
        await gateway.succeed('start');
      },
      () => gateway.succeed('restart'),
      () => gateway.kill('KILL'),
    ];
    for (const happen of happenings) await survives(happen);
    await configure('isolated = true\n');
    await survives(() => gateway.succeed('reload'));
    const killProcess = async () => {
      const [pid] = (await gateway.messages())
        .flatMap((message) => /lmtp runs in a process of its own \(PID (\d+)\)/.exec(message)?.[1] ?? [])
        .slice(-1);
      await machine().check(['kill', '-KILL', pid ?? 'none']);
    };
    for (const happen of [killProcess, ...happenings, killProcess]) await survives(happen);
    // systemd counts anew after a stop.
    expect(await gateway.result()).toMatchObject({ Result: 'success', NRestarts: '1' });
    await gateway.succeed('stop');
    for (const { platform, session, written } of chats) expect(seenIn(platform, session)).toEqual(written);
    expect(platforms.flatMap((platform) => platform.mistakes())).toEqual([]);
    for (const platform of platforms) await platform.close();
  });
});
