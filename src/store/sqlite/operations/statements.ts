import type { Database, RunResult, Statement } from 'better-sqlite3';

/** All statements of the store, for a test that looks at their plans. */
export const allStatements: Sql<readonly unknown[], unknown>[] = [];

/**
 * One statement, which a connection prepares when it first needs it. SQLite prepares a statement anew each time that a
 * parameter is bound that alone is its limit, as the plan may depend on it; hence `LIMIT 0 + ?`.
 */
export class Sql<Parameters extends readonly unknown[], Row> {
  /** Only a type. */
  declare readonly takes: Parameters;
  declare readonly gives: Row;

  constructor(
    readonly text: string,
    /** True if a row is its only column. */
    readonly isPlucked: boolean,
  ) {
    allStatements.push(this as unknown as Sql<readonly unknown[], unknown>);
  }
}

/** A statement whose rows have members. */
export function sql<Parameters extends readonly unknown[], Row = never>(text: string): Sql<Parameters, Row> {
  return new Sql(text, false);
}

/** A statement whose rows are one value each. */
export function valueSql<Parameters extends readonly unknown[], Value>(text: string): Sql<Parameters, Value> {
  return new Sql(text, true);
}

type Prepared = Pick<Sql<readonly unknown[], unknown>, 'text' | 'isPlucked'>;

/** The statements of one connection. */
export class Statements {
  readonly #database: Database;
  readonly #prepared = new Map<Prepared, Statement<unknown[], unknown>>();

  constructor(database: Database) {
    this.#database = database;
  }

  get<Parameters extends readonly unknown[], Row>(
    statement: Sql<Parameters, Row>,
    ...parameters: Parameters
  ): Row | undefined {
    return this.#prepare(statement).get(...parameters) as Row | undefined;
  }

  all<Parameters extends readonly unknown[], Row>(
    statement: Sql<Parameters, Row>,
    ...parameters: Parameters
  ): Row[] {
    return this.#prepare(statement).all(...parameters) as Row[];
  }

  /** No other statement may be run before the last row was read, or no more are wanted. */
  iterate<Parameters extends readonly unknown[], Row>(
    statement: Sql<Parameters, Row>,
    ...parameters: Parameters
  ): IterableIterator<Row> {
    return this.#prepare(statement).iterate(...parameters) as IterableIterator<Row>;
  }

  run<Parameters extends readonly unknown[]>(
    statement: Sql<Parameters, never>,
    ...parameters: Parameters
  ): RunResult {
    return this.#prepare(statement).run(...parameters);
  }

  #prepare(statement: Prepared): Statement<unknown[], unknown> {
    const known = this.#prepared.get(statement);
    if (known !== undefined) return known;
    const made = this.#database.prepare<unknown[], unknown>(statement.text);
    if (statement.isPlucked) made.pluck();
    this.#prepared.set(statement, made);
    return made;
  }
}
