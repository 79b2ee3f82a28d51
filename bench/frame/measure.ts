import type { Benchmark, Contender, Figure, Figures, NotMeasured, Scale, Target } from './benchmark.js';

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Reached extends Target {
  /** Own / other, round by round. */
  readonly ratio: Summary;
  /** Own less other, round by round, if that counts. */
  readonly difference?: Summary;
  readonly reached: boolean;
}

export interface Result {
  readonly name: string;
  readonly group: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly rounds: number;
  readonly contenders: readonly {
    readonly name: string;
    readonly figures: Readonly<Record<string, Summary>>;
  }[];
  readonly targets: readonly Reached[];
  readonly notMeasured: readonly NotMeasured[];
}

/** Median, least and most of at least one number. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}

/** Compares round by round, so that a machine that was slow for a while was so for both. */
export function judge(target: Target, own: readonly Figures[], other: readonly Figures[]): Reached {
  const values = (all: readonly Figures[]): number[] =>
    all.map((figures) => figures[target.figure] ?? Number.NaN);
  const others = values(other);
  const ratio = summarize(values(own).map((value, round) => value / (others[round] ?? Number.NaN)));
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY, atMostMore } = target;
  if (atMostMore !== undefined) {
    const difference = summarize(values(own).map((value, round) => value - (others[round] ?? Number.NaN)));
    return { ...target, ratio, difference, reached: difference.median <= atMostMore };
  }
  const within = ratio.median >= atLeast && ratio.median <= atMost;
  return { ...target, ratio, reached: within || (target.orOverlap === true && overlap(values(own), others)) };
}

function overlap(some: readonly number[], others: readonly number[]): boolean {
  const [a, b] = [summarize(some), summarize(others)];
  return a.min <= b.max && b.min <= a.max;
}

/** All contenders in turn, round after round: A B C A B C … */
async function inTurn(contenders: readonly Contender[], rounds: number): Promise<Map<string, Figures[]>> {
  const measured = new Map<string, Figures[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, measure } of contenders) measured.get(name)?.push(await measure());
  }
  return measured;
}

export async function run(benchmark: Benchmark, scale: Scale, rounds: number): Promise<Result> {
  const opened = await benchmark.open(scale);
  try {
    const measured = await inTurn(opened.contenders, rounds);
    const own = measured.get(opened.contenders[0]?.name ?? '') ?? [];
    const { name, group, title, figures } = benchmark;
    return {
      name,
      group,
      title,
      figures,
      rounds,
      contenders: [...measured].map(([contender, all]) => ({
        name: contender,
        figures: Object.fromEntries(
          figures.map((figure) => [
            figure.name,
            summarize(all.map((each) => each[figure.name] ?? Number.NaN)),
          ]),
        ),
      })),
      targets: benchmark.targets.flatMap((target) => {
        const other = measured.get(target.against);
        return other === undefined ? [] : [judge(target, own, other)];
      }),
      notMeasured: opened.notMeasured ?? [],
    };
  } finally {
    await opened.close?.();
  }
}
