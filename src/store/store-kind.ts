import type { ArchiveItem } from './archive.js';
import type { StoreCounts } from './messages.js';
import type { LastRun, OpeningStore, RunRecord, StoreEvents, StorePolicy } from './open-store.js';

export interface StoreSetup<Settings> {
  readonly settings: Settings;
  readonly policy: StorePolicy;
  readonly lastRun: LastRun;
  /** The directory of a database, unless the settings name a path. */
  readonly stateDirectory: string;
}

/** One kind of store, a line in the table of create-store.ts. The rest of the program knows the kind by this alone. */
export interface StoreKind<Settings> {
  /** Opens the store. Does not wait for it: see `opened`. */
  open(setup: StoreSetup<Settings>, events: StoreEvents): OpeningStore;
  /** The database in a line for the operator: a path, or an address without secrets. */
  nameOf(settings: Settings, stateDirectory: string): string;
  /**
   * The file of the database; null if it is no file of this machine. Before it opens the store, the gateway makes the
   * file's directory and takes the lock beside it.
   */
  fileOf(settings: Settings, stateDirectory: string): string | null;
  /**
   * Checks, before a gateway that has it open is stopped, that this program could open it in its place. Rejects with a
   * StoreError. Left out: nothing can be told.
   */
  check?(settings: Settings, stateDirectory: string): Promise<void>;
  /**
   * The store for a command, whether a gateway runs or not. Throws a ConfigurationError, an IdentityError, or the error of
   * a system call, if the command can't tell where it is or must not go there.
   */
  offline(settings: Settings, stateDirectory: string): OfflineStore;
}

/** A file, and the user as whom a command opens it (`actingAs`); null: as this process's own. */
export interface StoreFile {
  readonly path: string;
  readonly user: number | null;
}

/** A log that whoever reads the database keeps from being emptied. */
export interface StoreLog {
  readonly sizeBytes: number;
  /** True if it is longer than any that nobody keeps. */
  readonly isLong: boolean;
  /** `command`: the name of the process; null if it has ended, or can't be seen. */
  readonly readers: readonly { readonly pid: number; readonly command: string | null }[];
}

/** The findings of a probe. */
export interface Integrity {
  /** Damage. */
  readonly errors: readonly string[];
  /** The start's complaint about a sound file that is not for this version, or not the gateway's; it names the next step. */
  readonly refused?: string;
}

/** A store without anything of its messages, for a report. */
export interface StoreDescription {
  /** The database and its version, such as "SQLite 3.50.4". */
  readonly engine: string;
  /** Null: there is no database yet. */
  readonly schemaVersion: number | null;
  /** Null: there is no database of this version. */
  readonly counts: StoreCounts | null;
}

/** A store as a command sees it, beside a gateway or without one. */
export interface OfflineStore {
  readonly name: string;
  /** The store's file; null if it is no file of this machine. */
  readonly file: StoreFile | null;
  /** Its runs, newest first; null: it has none yet. Rejects with a StoreError or an IdentityError. */
  runs(): Promise<readonly RunRecord[] | null>;
  /**
   * A program for Node.js and its arguments; null if there is nothing to read. It reads all of the database, and prints as
   * JSON its Integrity, or in `unknown` why it can't tell. As it may take any time, its caller ends it.
   */
  readonly probe: readonly string[] | null;
  /**
   * The start's complaint about a store that was there and is gone; null: it is there, or there never was one. Rejects
   * with the errors of stat(2). Absent: this kind can't tell.
   */
  lost?(): Promise<string | null>;
  /** Throws the errors of stat(2). Absent: this kind has no such log. */
  log?(): StoreLog;
  /** Rejects with a StoreError or an IdentityError. Absent: this kind can't tell. */
  describe?(): Promise<StoreDescription>;
  /**
   * Loads the actions of `sd-gateway store`. Throws a StoreError if a module is missing.
   * @param changes True if the action changes the store, for which no gateway may have it.
   */
  tools(changes: boolean): Promise<StoreTools>;
}

/** The counts of what was written to a file. */
export interface Copied {
  readonly sessions: number;
  readonly messages: number;
}

export interface Imported {
  readonly sessions: number;
  readonly messages: number;
}

export interface Recovered extends Imported {
  /** Messages, and facts about the deliveries of some that are saved. */
  readonly lost: readonly string[];
  /** Messages that the counters know of, beyond those that were found; null if these can't be read. */
  readonly missing: number | null;
  /** The place of the damaged files now. */
  readonly aside: string;
}

/** Does the work as the caller's own user, while the database is open as another one. */
export type AsCaller = <Result>(work: () => Result) => Result;

/** Actions of `sd-gateway store`, which reject with a StoreError. A store leaves out those that its database's own tools do. */
export interface StoreTools {
  /** Reads all of it. Gives its faults, a line each; no line: it is sound. */
  check?(): readonly string[];
  /** Copies it to a file, which is there when it is whole and on disk, or not at all. */
  backUp?(file: string, asCaller: AsCaller): Promise<Copied>;
  /** Hands on all items that are there when it begins. Holds nothing up while they are taken. */
  exportAll?(write: (items: Iterable<ArchiveItem>) => Promise<void>): Promise<Copied>;
  /** Adds all items, or none. */
  importAll?(items: AsyncIterable<ArchiveItem>): Promise<Imported>;
  /**
   * Saves what is readable of a damaged one. `stamp` is part of the name of the damaged files. Of a sound one there is
   * nothing to save: null, unless `wantsSound` resolves with true.
   */
  recover?(stamp: string, wantsSound: () => Promise<boolean>): Promise<Recovered | null>;
}
