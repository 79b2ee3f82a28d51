/** Results of one run of a contender, by the names of the benchmark's figures. */
export type Figures = Readonly<Record<string, number>>;

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
}

/** A ratio to be reached, own figure / the other's figure, both of one run; or a difference. */
export interface Target {
  readonly figure: string;
  readonly against: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Own figure less the other's, in the figure's unit. */
  readonly atMostMore?: number;
  /**
   * Reached also where the figures of both, from the least to the largest, overlap: then no difference can be measured.
   * Only where a control shows that one could.
   */
  readonly orOverlap?: true;
}

export interface Contender {
  readonly name: string;
  /** One whole measurement, in a process of its own where a process is the unit. Throws when its output is wrong. */
  measure(): Promise<Figures>;
}

export interface NotMeasured {
  readonly name: string;
  readonly why: string;
}

/** The contenders while everything that they need runs. The first is this project's own. */
export interface Opened {
  readonly contenders: readonly Contender[];
  readonly notMeasured?: readonly NotMeasured[];
  close?(): Promise<void>;
}

export interface Scale {
  /** Small numbers: only whether the outputs are right counts. */
  readonly smoke: boolean;
}

export interface Benchmark {
  readonly name: string;
  /** One plot shows a group. */
  readonly group: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly targets: readonly Target[];
  open(scale: Scale): Promise<Opened>;
}
