import type { Benchmark, Contender, Figures } from './frame/benchmark.js';
import { type BurstOptions, runBursts } from './frame/bursts.js';
import { nativeProgram, program } from './frame/places.js';

/** FNV-1a of what all contenders have to send, by how many: they differ in how, not in what. */
const hashes = new Map<string, string>();

export async function measureBursts(
  options: BurstOptions,
  count: number,
  unit: 'calls/s' | 'µs',
  same: string | null,
): Promise<Figures> {
  const { nanoseconds, received, hash } = await runBursts(options);
  if (received !== count)
    throw new Error(`${options.sender.join(' ')}: ${received} of ${count} were received`);
  if (same !== null) {
    const key = `${same} ${count}`;
    const expected = hashes.get(key) ?? hash;
    hashes.set(key, expected);
    if (hash !== expected)
      throw new Error(`${options.sender.join(' ')} sent other bytes than the one before`);
  }
  return unit === 'calls/s' ? { rate: (count * 1e9) / nanoseconds } : { time: nanoseconds / count / 1e3 };
}

export const notify: Benchmark = {
  name: 'notify',
  group: 'systemd-protocols',
  title: 'sd_notify("STATUS=…")',
  figures: [{ name: 'rate', unit: 'calls/s', better: 'higher' }],
  targets: [
    { figure: 'rate', against: 'npm sd-notify', atLeast: 3 },
    { figure: 'rate', against: 'C: libsystemd’s sd_notify', atLeast: 1 },
    // At most 1.5 × its time.
    { figure: 'rate', against: 'C: send(2), one socket', atLeast: 1 / 1.5 },
  ],
  open({ smoke }) {
    const count = smoke ? 600 : 200_000;
    const few = smoke ? 2 : 30;
    const contender = (name: string, sender: readonly string[], calls = count): Contender => ({
      name,
      measure: () =>
        measureBursts(
          { sender: [...sender, String(calls), '256'], receiver: 'notify' },
          calls,
          'calls/s',
          'STATUS',
        ),
    });
    const node = [process.execPath, program('notify')];
    return Promise.resolve({
      contenders: [
        contender('sd-gateway', [...node, 'own']),
        contender('@sd-gateway/systemd', [...node, 'library']),
        contender('npm sd-notify', [...node, 'npm']),
        contender('C: libsystemd’s sd_notify', [nativeProgram('notify'), 'sd_notify']),
        contender('C: send(2), one socket', [nativeProgram('notify'), 'send']),
        contender('execFile("systemd-notify")', [...node, 'systemd-notify'], few),
      ],
    });
  },
};
