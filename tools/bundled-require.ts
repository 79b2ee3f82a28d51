import type { Plugin } from 'rolldown';

/** A module of ours gets its `require` by it. */
const line = 'const require = createRequire(import.meta.url);';

/**
 * Has the bundler see what a module of ours requires, and bundle it: it looks only at a `require` that nobody has made.
 *
 * @param file the end of the module's path
 */
export function bundledRequire(file: string): Plugin {
  return {
    name: 'bundled-require',
    transform(code, id) {
      if (!id.endsWith(file)) return null;
      if (!code.includes(line)) throw new Error(`${file} has no line "${line}"`);
      return code.replace(line, '');
    },
  };
}
