import { type DotEnv, MissingVariableError, withVariables } from './dot-env.js';
import { parseJson } from './parse-files.js';
import { type SourceDirectory, SourceError } from './source-directory.js';
import { isTree, type Tree, textOf, treeAt, valueAt } from './tree.js';

/** Finds the secrets behind the values of a configuration of OpenClaw: texts, variables, and references to files. */
export class OpenClawSecrets {
  constructor(
    private readonly directory: SourceDirectory,
    private readonly settings: Tree,
    private readonly environment: DotEnv,
  ) {}

  /** Null: the value names none. Throws a SourceError or a MissingVariableError. */
  secretOf(value: unknown): string | null {
    if (isTree(value)) return this.#referred(value);
    const text = textOf(value)?.trim() ?? '';
    if (text === '') return null;
    const [, name] = /^\$([A-Z][A-Z0-9_]*)$/.exec(text) ?? [];
    return name === undefined ? withVariables(text, this.environment) : this.#variable(name);
  }

  #referred(reference: Tree): string {
    const source = textOf(valueAt(reference, 'source'));
    const id = textOf(valueAt(reference, 'id')) ?? '';
    const name = textOf(valueAt(reference, 'provider')) ?? 'default';
    const provider = treeAt(this.settings, 'secrets', 'providers', name);
    switch (source) {
      case 'env':
        return this.#variable(id);
      case 'file':
        return this.#inFile(provider, id);
      case 'exec':
        throw new SourceError('its token is what a program prints, and nothing of the other gateway is run');
      default:
        throw new SourceError('its token is a reference of a kind that is not known here');
    }
  }

  #variable(name: string): string {
    const value = this.environment.variables.get(name);
    if (value === undefined || value === '') throw new MissingVariableError(name);
    return value;
  }

  #inFile(provider: Tree, id: string): string {
    const path = textOf(valueAt(provider, 'path'));
    if (path === null) throw new SourceError('its token is in a file that the configuration does not name');
    const text = this.directory.readSecretFile(path);
    if (textOf(valueAt(provider, 'mode')) === 'singleValue') return text;
    // A JSON pointer (RFC 6901).
    const keys = id.split('/').slice(1);
    let value: unknown = parseJson(text, path);
    for (const key of keys) {
      const own = key.replaceAll('~1', '/').replaceAll('~0', '~');
      value = isTree(value) ? valueAt(value, own) : undefined;
    }
    const secret = textOf(value);
    if (secret === null) throw new SourceError(`${path} does not have its token`);
    return secret;
  }
}
