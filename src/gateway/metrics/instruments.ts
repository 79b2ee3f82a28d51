import type { TimeFigures } from '../../store/open-store.js';
import type { Family, Sample } from './exposition.js';

type Labels<Name extends string> = Readonly<Record<Name, string>>;

/**
 * Label sets that one family keeps. Labels have names of the configuration alone, so that only many reloads with ever new
 * names get there. Further ones are counted under "other".
 */
const mostSeries = 500;

/** The series of one family, by their labels. */
class Series<Name extends string, Value> {
  readonly #byKey = new Map<string, { readonly labels: Labels<Name>; readonly value: Value }>();
  readonly #create: () => Value;

  constructor(create: () => Value) {
    this.#create = create;
  }

  at(labels: Labels<Name>): Value {
    const key = Object.values(labels).join('\n');
    const known = this.#byKey.get(key);
    if (known !== undefined) return known.value;
    const isFull = this.#byKey.size >= mostSeries && Object.values(labels).some((value) => value !== 'other');
    if (isFull) return this.at(withOther(labels));
    const value = this.#create();
    this.#byKey.set(key, { labels, value });
    return value;
  }

  samples(of: (value: Value) => readonly Sample[]): readonly Sample[] {
    return [...this.#byKey.values()].flatMap(({ labels, value }) =>
      of(value).map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } })),
    );
  }
}

function withOther<Name extends string>(labels: Labels<Name>): Labels<Name> {
  return Object.fromEntries(Object.keys(labels).map((name) => [name, 'other'])) as Labels<Name>;
}

/** Counts since the start. It never throws, and costs a look into a map. */
export class Counter<Name extends string> {
  readonly #name: string;
  readonly #help: string;
  readonly #series = new Series<Name, { count: number }>(() => ({ count: 0 }));

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  add(labels: Labels<Name>, count = 1): void {
    this.#series.at(labels).count += count;
  }

  family(): Family {
    const samples = this.#series.samples(({ count }) => [{ value: count }]);
    return { name: this.#name, help: this.#help, type: 'counter', samples };
  }
}

/** Sorts times into buckets since the start. */
export class Histogram<Name extends string> {
  readonly #name: string;
  readonly #help: string;
  readonly #boundsMs: readonly number[];
  readonly #series: Series<Name, { counts: number[]; sumMs: number }>;

  /** `boundsMs`: the upper bounds of the buckets, rising. */
  constructor(name: string, help: string, boundsMs: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#boundsMs = boundsMs;
    this.#series = new Series(() => ({ counts: new Array(boundsMs.length + 1).fill(0), sumMs: 0 }));
  }

  /** Has the series shown, though nothing was observed. */
  declare(labels: Labels<Name>): void {
    this.#series.at(labels);
  }

  observe(labels: Labels<Name>, durationMs: number): void {
    const value = this.#series.at(labels);
    const index = this.#boundsMs.findIndex((bound) => durationMs <= bound);
    const bucket = index === -1 ? this.#boundsMs.length : index;
    value.counts[bucket] = (value.counts[bucket] ?? 0) + 1;
    value.sumMs += durationMs;
  }

  family(): Family {
    const samples = this.#series.samples((value) => timeSamples({ boundsMs: this.#boundsMs, ...value }));
    return { name: this.#name, help: this.#help, type: 'histogram', samples };
  }
}

/** The lines of a histogram in seconds; its buckets are cumulative there. */
export function timeSamples({ boundsMs, counts, sumMs }: TimeFigures): readonly Sample[] {
  let below = 0;
  const buckets = counts.map((count, index) => {
    below += count;
    const bound = boundsMs[index];
    const le = bound === undefined ? '+Inf' : String(bound / 1_000);
    return { suffix: '_bucket', labels: { le }, value: below };
  });
  return [...buckets, { suffix: '_sum', value: sumMs / 1_000 }, { suffix: '_count', value: below }];
}
