/** Waits for a signal beside something else, and can stop to wait. */
export interface AbortWait<Value> {
  /** Resolves with the value once the signal is aborted. */
  readonly aborted: Promise<Value>;
  readonly stop: () => void;
}

export function onceAborted<Value>(signal: AbortSignal, value: Value): AbortWait<Value> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<Value>((resolve) => {
    const listener = () => resolve(value);
    signal.addEventListener('abort', listener);
    if (signal.aborted) listener();
    stop = () => signal.removeEventListener('abort', listener);
  });
  return { aborted, stop };
}
