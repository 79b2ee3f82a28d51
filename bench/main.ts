import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchmarks } from './benchmarks.js';
import type { Benchmark } from './frame/benchmark.js';
import { type MachineKind, machineKind } from './frame/machine-kind.js';
import { type Result, run } from './frame/measure.js';
import { folder } from './frame/places.js';
import { plot } from './frame/plot.js';
import { table } from './frame/table.js';

const usage = `Usage: npm run bench -- [--smoke] [--rounds=N] [NAME…]
  --smoke     small numbers, one round, several at a time: checks that each benchmark runs and that its outputs are right
  --rounds=N  5 or more; 5 by default
Names: ${benchmarks.map(({ name }) => name).join(', ')}
`;

interface Request {
  readonly smoke: boolean;
  readonly rounds: number;
  readonly names: readonly string[];
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: { smoke: { type: 'boolean' }, rounds: { type: 'string' } },
      allowPositionals: true,
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function parse(words: readonly string[]): Request | string {
  const parsed = parseWords(words);
  if (typeof parsed === 'string') return parsed;
  const { smoke = false, rounds: given = '5' } = parsed.values;
  const rounds = Number(given);
  if (!Number.isInteger(rounds) || rounds < 5) return `--rounds=${given}: a median needs at least 5 rounds`;
  const names = parsed.positionals;
  const unknown = names.find((word) => !benchmarks.some(({ name }) => name === word));
  if (unknown !== undefined) return `There is no benchmark "${unknown}"`;
  return { smoke, rounds: smoke ? 1 : rounds, names };
}

interface Kept extends Result {
  readonly at: string;
  readonly machine: MachineKind;
}

const resultsFile = `${folder}results.json`;

/** Keeps what earlier runs said of the benchmarks that this one left out; each says when it was. */
function write(results: readonly Result[]): void {
  const machine = machineKind();
  const at = new Date().toISOString();
  const before = existsSync(resultsFile) ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as Kept[]) : [];
  const all = benchmarks.flatMap(({ name }): Kept[] => {
    const now = results.find((result) => result.name === name);
    if (now !== undefined) return [{ at, machine, ...now }];
    return before.filter((result) => result.name === name);
  });
  writeFileSync(resultsFile, `${JSON.stringify(all, null, 2)}\n`);
  mkdirSync(`${folder}plots`, { recursive: true });
  for (const group of new Set(all.map((result) => result.group))) {
    const members = all.filter((result) => result.group === group);
    writeFileSync(`${folder}plots/${group}.svg`, plot(group, members));
  }
}

async function main(): Promise<number> {
  const request = parse(process.argv.slice(2));
  if (typeof request === 'string') {
    process.stderr.write(`bench: ${request}\n${usage}`);
    return 64;
  }
  const { smoke, rounds, names } = request;
  const chosen = benchmarks.filter(({ name }) => names.length === 0 || names.includes(name));
  if (smoke) return checkOutputs(chosen);
  const results: Result[] = [];
  for (const benchmark of chosen) {
    const result = await attempt(benchmark, false, rounds);
    if (result === null) continue;
    results.push(result);
    process.stdout.write(`${table([result])}\n\n`);
    // After each, so that a run that is broken off leaves what it has.
    write([result]);
  }
  process.stdout.write(`${table(results)}\n`);
  return results.length === chosen.length ? 0 : 1;
}

/** Runs a benchmark. If it fails, prints why and gives null. */
async function attempt(benchmark: Benchmark, smoke: boolean, rounds: number): Promise<Result | null> {
  try {
    return await run(benchmark, { smoke }, rounds);
  } catch (error) {
    process.stderr.write(`bench: ${benchmark.name}: ${error instanceof Error ? error.stack : error}\n`);
    return null;
  }
}

/** Several at a time, as no time counts. */
async function checkOutputs(chosen: readonly Benchmark[]): Promise<number> {
  const waiting = [...chosen];
  let failures = 0;
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await attempt(next, true, 1);
      if (result === null) {
        failures++;
        continue;
      }
      const left = result.notMeasured.map(({ name, why }) => `; not measured: ${name} (${why})`).join('');
      const right = result.contenders.map(({ name }) => name).join(', ');
      process.stdout.write(`${next.name}: right outputs of ${right}${left}\n`);
    }
  };
  await Promise.all(Array.from({ length: 5 }, work));
  return failures === 0 ? 0 : 1;
}

// A benchmark that failed may have left a machine that would keep this process: it ends with it.
process.exit(await main());
