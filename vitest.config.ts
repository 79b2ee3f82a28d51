import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

/**
 * A worker thread is started from a file that Node itself loads, so under vitest, which runs the TypeScript
 * sources, the workers' URLs point to the built files: the bundled ones, which are loaded sooner than dozens of modules.
 */
function builtWorkers(): Plugin {
  const source = fileURLToPath(new URL('./src/', import.meta.url));
  const built = new URL('./dist/bundle/', import.meta.url);
  return {
    name: 'built-workers',
    transform(code, id) {
      if (!id.startsWith(source) || !code.includes('-worker.js')) return null;
      return code.replace(
        /new URL\((['"])\.\/([\w-]+-worker\.js)\1, import\.meta\.url\)/g,
        (_match, _quote, file: string) => `new URL(${JSON.stringify(new URL(file, built).href)})`,
      );
    },
  };
}

/** They install gigabytes. */
const realAgents = ['test/agents/acp/real/agents.test.ts', 'test/machine/real-agents.test.ts'];

/**
 * Tests that may share a process and its modules, which saves a third of their time: they change no setting of the process,
 * and put nothing in the place of what others use.
 */
const shared = [
  'agents/http',
  'agents/openai',
  'channels',
  'config',
  'crash',
  'doctor',
  'gateway',
  'lifecycle',
  'log',
  'restarts',
  'store',
  'text',
  'units',
]
  .flatMap((folder) =>
    readdirSync(`test/${folder}`, { recursive: true, encoding: 'utf8' }).map(
      (name) => `test/${folder}/${name}`,
    ),
  )
  .filter(
    (path) =>
      path.endsWith('.test.ts') &&
      !/\b(?:vi\.|process\.(?:env\[|on\(|once\(|chdir|umask))/.test(readFileSync(path, 'utf8')),
  );

export default defineConfig({
  plugins: [builtWorkers()],
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/machine/**', ...shared, ...realAgents, '**/node_modules/**'],
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        test: { name: 'unit-shared', include: shared, isolate: false, testTimeout: 20_000 },
      },
      {
        extends: true,
        test: {
          name: 'real-agents',
          include: realAgents,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'systemd',
          include: ['test/machine/**/*.test.ts'],
          exclude: [...realAgents, '**/node_modules/**'],
          testTimeout: 90_000,
          hookTimeout: 120_000,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/lifecycle/**/*.ts'],
      exclude: ['src/lifecycle/effects/**', 'src/lifecycle/supervise.ts'],
      thresholds: { branches: 100, functions: 100, lines: 100, statements: 100 },
    },
  },
});
