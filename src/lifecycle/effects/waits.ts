import type { Clock } from './clock.js';

type Timer = Pick<Clock, 'after'>;

/** Resolves after the delay, or as soon as the signal is aborted. */
export async function pause(
  { clock, signal }: { readonly clock: Timer; readonly signal: AbortSignal },
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

/** Waits for the work, and no longer than that. Gives false if it goes on. Rejects if it does. */
export async function endsWithin(clock: Timer, timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  let cancel = () => {};
  const late = new Promise<false>((resolve) => {
    cancel = clock.after(timeoutMs, () => resolve(false));
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    cancel();
  }
}

/** Awaits the answer to a call. One that is late is aborted, and rejects. */
export async function answeredWithin<Answer>(
  clock: Timer,
  timeoutMs: number,
  call: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const timeout = new AbortController();
  let cancel = () => {};
  const late = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(timeoutMs, () => {
      timeout.abort();
      reject(new Error(`there was no answer within ${timeoutMs / 1_000} s`));
    });
  });
  try {
    return await Promise.race([call(timeout.signal), late]);
  } finally {
    cancel();
  }
}
