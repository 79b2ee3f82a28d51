/**
 * Collects all that this thread's heap has no need of, and gives V8's empty pages back to the system, the young
 * generation's among them, which otherwise stay as large as the greatest load has made them. It takes tens of
 * milliseconds, in which the thread does nothing else; functions that have not run for long are compiled again when
 * they are next called.
 *
 * HeapProfiler.collectGarbage of the inspector's protocol is the only way to V8's LowMemoryNotification from
 * JavaScript; nothing listens, and no debugger is let in. Rejects where Node.js was built without the inspector.
 */
export async function collectGarbage(): Promise<void> {
  // Not needed before the first rest, so that no start waits for it. An import would have Node.js warn of how the
  // program is loaded (src/cli/compiled-script.ts).
  const { Session } = process.getBuiltinModule('node:inspector');
  const session = new Session();
  session.connect();
  try {
    await new Promise<void>((resolve, reject) => {
      session.post('HeapProfiler.collectGarbage', (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  } finally {
    session.disconnect();
  }
}
