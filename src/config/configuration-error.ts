export interface ConfigurationProblem {
  /** `FILE:LINE:COLUMN`, the environment variable, or the file. */
  readonly where: string;
  readonly message: string;
}

/** The configuration can't be used. Lists all that is wrong with it; exit status 78. */
export class ConfigurationError extends Error {
  readonly problems: readonly ConfigurationProblem[];

  constructor(problems: readonly ConfigurationProblem[]) {
    super(problems.map(({ where, message }) => `${where}: ${message}`).join('; '));
    this.name = 'ConfigurationError';
    this.problems = problems;
  }
}
