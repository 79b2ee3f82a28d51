import { rolldown } from 'rolldown';
import { expect, it } from 'vitest';
import { leftOutOf } from '../../tools/left-out.js';

/** The bundle of one script with these plugins, as what it exports. */
async function bundled(
  text: string,
  id: string,
  plugin: ReturnType<typeof leftOutOf>,
): Promise<Record<string, unknown>> {
  const script = {
    name: 'script',
    resolveId: (source: string) => (source === id ? id : null),
    load: (loaded: string) => (loaded === id ? text : null),
  };
  const bundle = await rolldown({ input: id, platform: 'node', plugins: [script, plugin] });
  const { output } = await bundle.generate({ format: 'cjs', minify: false });
  const module = { exports: {} as Record<string, unknown> };
  new Function('module', 'exports', 'require', output[0].code)(
    module,
    module.exports,
    process.getBuiltinModule,
  );
  return module.exports;
}

it('leaves modules out of one package, which throw when they are used', async () => {
  const plugin = leftOutOf('owner', ['node:dns']);
  const text = 'const dns = require("node:dns"); exports.lookup = () => dns.lookup("localhost");';
  const exports = await bundled(text, '/node_modules/owner/index.cjs', plugin);
  expect(exports['lookup']).toThrow('node:dns is left out of owner');
});
