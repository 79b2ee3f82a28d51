import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { readChannelSecret } from '../../channels/secret.js';
import type { Scope } from '../../manager/service-manager.js';
import { errorMessage } from '../../text/failure-text.js';
import { hiddenBy } from '../../units/paths.js';
import { shippedUnit } from '../../units/plan.js';
import { UsageError } from '../usage.js';
import type { ChannelAnswer } from './answers.js';
import { AnswerError, type Asker, type Question, takesAnyway } from './asker.js';

/** A channel that init offers. */
export interface OfferedChannel {
  /** The answer that chooses it. */
  readonly choice: string;
  readonly meaning: string;
  /** Asks for its table, and tries it. Null: something did not pass, and is asked for again. */
  readonly ask: (questions: ChannelQuestions) => Promise<ChannelAnswer | null>;
}

/** A secret to write into a file of its own. */
export interface NewSecret {
  readonly path: string;
  readonly text: string;
}

export interface ChannelSurroundings {
  readonly asker: Asker;
  /** The directory of the configuration file. */
  readonly directory: string;
  readonly instance: string | null;
  /** The gateway's: one of the system runs as another user. */
  readonly scope: Scope;
  readonly environment: NodeJS.ProcessEnv;
  /** True: answers that don't pass are taken. */
  readonly force: boolean;
}

/** A token that a channel needs. */
export interface WantedToken {
  /** The option that names its file. Default: "secret-file". */
  readonly option?: string;
  /** The end of the name of its file. Default: "token". */
  readonly kind?: string;
  readonly question: string;
  /** Says where a person gets it. */
  readonly maker: string;
}

/** A token, and the file that has it or will have it. */
export interface FoundToken {
  readonly path: string;
  readonly text: string;
  /** False: the file is there already. */
  readonly isTyped: boolean;
}

/** The parts that the questions about each channel have in common. */
export class ChannelQuestions {
  readonly asker: Asker;
  readonly environment: NodeJS.ProcessEnv;
  /** Secrets that were typed or made. */
  readonly secrets: NewSecret[] = [];
  readonly #surroundings: ChannelSurroundings;

  constructor(surroundings: ChannelSurroundings) {
    this.#surroundings = surroundings;
    this.asker = surroundings.asker;
    this.environment = surroundings.environment;
  }

  /** The place of a secret. Instances share the directory, and each has a user of its own. */
  pathOf(channel: string, kind: string): string {
    const { directory, instance } = this.#surroundings;
    return join(directory, `${[channel, ...(instance === null ? [] : [instance])].join('-')}.${kind}`);
  }

  /** A file of an earlier time at the place of a secret. */
  isThere(path: string): boolean {
    if (!existsSync(path)) return false;
    this.asker.say(`The secret in ${path} is used, which is there already.`);
    return true;
  }

  /** An answer that the key of the configuration takes. Empty where that is the default: null. */
  async checked<Value>(question: Question, key: z.ZodType<Value>): Promise<Value> {
    for (;;) {
      const answer = await this.asker.ask(question);
      const read = key.safeParse(answer === '' && question.byDefault === '' ? null : answer);
      if (read.success) return read.data;
      // Not the answer itself, which may hold a password by mistake.
      const problem = read.error.issues[0]?.message ?? 'can’t be used';
      if (!this.asker.isTerminal) throw new AnswerError(`--${question.option} ${problem}`);
      this.asker.say(`The answer ${problem}`);
    }
  }

  /**
   * The root of the platform's API, and the key that names another one than the platform's own.
   *
   * @throws UsageError
   */
  apiRoot(key: z.ZodType<string>): { readonly root: string; readonly values: object } {
    const given = this.asker.given('api-root');
    const root = key.safeParse(given ?? undefined);
    if (!root.success) throw new UsageError(`--api-root ${root.error.issues[0]?.message}`, 'init');
    return { root: root.data, values: given === null ? {} : { api_root: root.data } };
  }

  /** Says how a person gets to the agent. Without owners, strangers get a code. */
  thenWrite(whom: string, owners: readonly string[]): ChannelAnswer['next'] {
    return ({ command }) =>
      owners.length > 0
        ? `Then write ${whom}.`
        : `Then write ${whom}. It answers with a code: ${command('people', 'accept', 'CODE', '--owner')}`;
  }

  /** A token of a channel: from the file of the option, from the one that an earlier init has left, or typed. */
  async token(channel: string, wanted: WantedToken): Promise<FoundToken> {
    const { option = 'secret-file', kind = 'token', question, maker } = wanted;
    const given = this.asker.given(option);
    const path = given === null ? this.pathOf(channel, kind) : resolve(given);
    if (given !== null || this.isThere(path)) {
      const problem = this.#placeProblem(path);
      if (problem !== null) throw new AnswerError(problem);
      return { path, text: readToken(channel, path), isTyped: false };
    }
    const text = await this.asker.askSecret(question);
    if (text === '') throw new UsageError(`--${option} is needed: ${maker}`, 'init');
    return { path, text, isTyped: true };
  }

  /**
   * True: the token did not pass, and is taken all the same. False: another one is to be typed.
   *
   * @throws AnswerError where nobody can type one
   */
  async takesToken({ isTyped }: FoundToken, problem: string): Promise<boolean> {
    if (await takesAnyway(this.asker, this.#surroundings.force, problem)) return true;
    if (isTyped) return false;
    throw new AnswerError(problem);
  }

  /**
   * True: the file has a secret that the gateway can use, or is taken all the same. False: another one is to be named.
   *
   * @param check throws for a secret without the form
   */
  async takesSecretFile(channel: string, path: string, check: (secret: string) => void): Promise<boolean> {
    const problem = this.#placeProblem(path) ?? secretProblem(channel, path, check);
    return problem === null || takesAnyway(this.asker, this.#surroundings.force, problem);
  }

  /** Says what keeps the gateway from the place of a file, whoever owns it; null: nothing does. */
  #placeProblem(path: string): string | null {
    const { scope, directory } = this.#surroundings;
    const directive = scope === 'system' ? hiddenBy(shippedUnit(scope), path) : null;
    return directive === null
      ? null
      : `the unit’s ${directive} hides ${path} from the gateway: put it elsewhere, such as in ${directory}`;
  }

  /** Ids of people, each of which has the form. */
  async ids(option: string, text: string, form: RegExp, hint: string): Promise<readonly string[]> {
    for (;;) {
      const answer = await this.asker.ask({ option, text, byDefault: '' });
      const ids = answer.split(/[\s,]+/).filter((id) => id !== '');
      const wrong = ids.find((id) => !form.test(id));
      if (wrong === undefined) return ids;
      const problem = `"${wrong}" is no id: ${hint}`;
      if (!this.asker.isTerminal) throw new AnswerError(problem);
      this.asker.say(problem);
    }
  }
}

function secretProblem(name: string, path: string, check: (secret: string) => void): string | null {
  try {
    check(readToken(name, path));
    return null;
  } catch (error) {
    return errorMessage(error);
  }
}

function readToken(name: string, path: string): string {
  try {
    return readChannelSecret({ name, token_file: path, token_credential: null }, null) ?? '';
  } catch (error) {
    throw new AnswerError(errorMessage(error));
  }
}
