/**
 * Prints what the Node.js that runs it is, and what it can load, as JSON. A program of its own, because it is run by
 * the unit's Node.js, not by the doctor's.
 */
async function failureOf(load: () => Promise<unknown>): Promise<string | null> {
  try {
    await load();
    return null;
  } catch (error) {
    return String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
  }
}

async function probe(): Promise<void> {
  const addon = await failureOf(async () => (await import('../../linux/native.js')).native());
  const sqlite = await failureOf(async () =>
    (await import('../../store/sqlite/file/open-sqlite.js')).openSqlite(':memory:').close(),
  );
  const { version, execPath: file, versions } = process;
  process.stdout.write(JSON.stringify({ file, version, modules: versions.modules, addon, sqlite }));
}

// No await at the top level: it is bundled as CommonJS (rolldown.config.ts).
void probe();
