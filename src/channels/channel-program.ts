/** The PATH of a channel's program. */
export const channelPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Starts programs for channels, which can't reach the processes themselves. */
export interface ChannelHost {
  /** Rejects with an error that says what to check. */
  startProgram(options: ChannelProgramOptions): Promise<ChannelProgram>;
  /** The channel's own directory, which is its program's home. */
  readonly directory: string;
  /** The credentials of the unit; null: it has none. */
  readonly credentialsDirectory: string | null;
}

export interface ChannelProgramOptions {
  /** The program and its arguments, as execvp(3) takes them. */
  readonly command: readonly string[];
  /** Names of variables of the gateway that it gets beside PATH, HOME and LANG. */
  readonly env: readonly string[];
  /** The words that name the program to a person. Default: the setting of a channel's command. */
  readonly setting?: string;
  /** Takes what it writes to its standard output. Nothing more is read until the promise has resolved. */
  readonly take: (bytes: Buffer) => Promise<void>;
}

/**
 * A program that runs with three descriptors, in a session and a process group of its own. Its standard error is in the
 * log.
 */
export interface ChannelProgram {
  readonly pid: number;
  /** Bytes on their way to its standard input. */
  readonly unreadBytes: number;
  write(text: string): void;
  /** Ends its input, on which it should end by itself. After `gentleMs` all of it gets SIGTERM, and SIGKILL in the end. */
  end(gentleMs: number): void;
  /** Resolves when nothing of it runs, with how it ended, such as "exited with status 1; standard error ends: …". */
  readonly ended: Promise<string>;
}
