import { type DotEnv, withVariables } from './dot-env.js';
import type { KnownPlatform, Takeover } from './takeover.js';
import { flagOf, listOf, type Tree, textOf, valueAt } from './tree.js';

/** One platform's settings in Hermes. A variable counts for more than the configuration. */
export class PlatformSettings {
  readonly #platform: KnownPlatform;
  readonly #blocks: readonly Tree[];
  readonly #environment: DotEnv;
  readonly #seenVariables: Set<string>;
  readonly #seenKeys = new Set(['enabled', 'extra']);

  constructor(
    platform: KnownPlatform,
    blocks: readonly Tree[],
    environment: DotEnv,
    seenVariables: Set<string>,
  ) {
    this.#platform = platform;
    this.#blocks = blocks;
    this.#environment = environment;
    this.#seenVariables = seenVariables;
  }

  /** Null: it is not set. Throws a MissingVariableError. */
  text(key: string, variable: string | null): string | null {
    const value = this.#value(key, variable);
    const text = textOf(value)?.trim() ?? '';
    return text === '' ? null : withVariables(text, this.#environment);
  }

  list(key: string, variable: string | null): readonly string[] {
    const value = this.#value(key, variable);
    return listOf(value).flatMap((entry) => listOf(withVariables(entry, this.#environment)));
  }

  flag(key: string, variable: string | null): boolean | null {
    return flagOf(this.#value(key, variable));
  }

  #value(key: string, variable: string | null): unknown {
    this.#seenKeys.add(key);
    const name = `${this.#platform.toUpperCase()}_${variable}`;
    if (variable !== null) this.#seenVariables.add(name);
    const given = variable === null ? undefined : this.#environment.variables.get(name);
    if (given !== undefined && given !== '') return given;
    return this.#blocks.map((block) => valueAt(block, key)).find((value) => value !== undefined);
  }

  /** Leaves what nobody has asked for. Null: without a word. */
  leaveRest(takeover: Takeover | null): void {
    const prefix = `${this.#platform.toUpperCase()}_`;
    for (const name of this.#environment.variables.keys()) {
      if (!name.startsWith(prefix) || this.#seenVariables.has(name)) continue;
      this.#seenVariables.add(name);
      takeover?.leaveByName(name, name);
    }
    for (const key of new Set(this.#blocks.flatMap((block) => Object.keys(block)))) {
      if (!this.#seenKeys.has(key)) takeover?.leaveByName(`${this.#platform}.${key}`, key);
    }
  }
}
