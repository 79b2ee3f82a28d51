import { type ChatPlatform, defaultAccount } from './openclaw-accounts.js';
import { databaseName, type PairedEntry, pairedInDatabase } from './openclaw-database.js';
import { pairedPeople } from './paired-people.js';
import { type SourceDirectory, SourceError } from './source-directory.js';
import type { Takeover } from './takeover.js';
import { listOf, valueAt } from './tree.js';

/**
 * Finds the people whom an operator of OpenClaw let in. Newer versions have a database of them, and look at no file of an
 * older version beside it.
 */
export class OpenClawPaired {
  /** Undefined: it was not read yet. Null: there is none, or an old one. */
  #database: readonly PairedEntry[] | null | undefined;

  constructor(
    private readonly directory: SourceDirectory,
    private readonly takeover: Takeover,
  ) {}

  peopleOf(platform: ChatPlatform, account: string): readonly string[] {
    const id = account.trim().toLowerCase();
    // In files, the account without a name also has the ids of older versions.
    const names = [`${platform}-${id}`, ...(account === defaultAccount ? [platform] : [])];
    const files = names
      .map((name) => `credentials/${name}-allowFrom.json`)
      .filter((name) => /^credentials\/[\w.@+-]+$/.test(name));
    this.#database ??= this.#read();
    if (this.#database === null) {
      return pairedPeople(this.directory, this.takeover, files, (tree) => listOf(valueAt(tree, 'allowFrom')));
    }
    for (const name of files) {
      if (this.directory.has(name))
        this.takeover.leave(name, `it is of an older version: ${databaseName} has those who were paired`);
    }
    return this.#database
      .filter((entry) => entry.platform === platform && entry.account.trim().toLowerCase() === id)
      .map(({ person }) => person)
      .filter((person) => person !== '*');
  }

  #read(): readonly PairedEntry[] | null {
    try {
      return pairedInDatabase(this.directory);
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      this.takeover.leave(
        databaseName,
        `${error.message}. Nobody who was paired is taken over: allow those whom "openclaw pairing list" does not ask about`,
      );
      return [];
    }
  }
}
