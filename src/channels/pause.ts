import type { ChannelContext } from './channel.js';

/** Resolves after the delay, or as soon as the signal is aborted. */
export async function pause(
  { clock, signal }: Pick<ChannelContext, 'clock' | 'signal'>,
  delayMs: number,
): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal.addEventListener('abort', end);
  });
}
