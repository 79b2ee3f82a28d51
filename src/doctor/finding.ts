export type FindingVerdict = 'ok' | 'warning' | 'problem' | 'not-applicable' | 'unknown';

/** A change that --fix can make by itself, because it is safe and can be undone. */
export type Fix =
  | { readonly kind: 'chmod'; readonly path: string; readonly mode: number; readonly isDirectory: boolean }
  | { readonly kind: 'enable-linger'; readonly user: string }
  | { readonly kind: 'daemon-reload' }
  | { readonly kind: 'reset-failed'; readonly unit: string };

export interface Mend {
  /** The advice for a person. */
  readonly text: string;
  /** The command to type; null where there is none. */
  readonly command: string | null;
  readonly fix: Fix | null;
}

export type FindingGroup = 'systemd' | 'unit' | 'program' | 'data' | 'network' | 'running' | 'journal';

/** The outcome of one check. */
export interface Finding {
  readonly group: FindingGroup;
  readonly check: string;
  readonly verdict: FindingVerdict;
  readonly text: string;
  readonly mend: Mend | null;
}

export function mend(text: string, command: string | null = null, fix: Fix | null = null): Mend {
  return { text, command, fix };
}

/** Makes the findings of one check. */
export function findings(group: FindingGroup, check: string) {
  return (verdict: FindingVerdict, text: string, how: Mend | null = null): Finding => ({
    group,
    check,
    verdict,
    text,
    mend: how,
  });
}

/** Healthy: no problem among them. Warnings and what could not be looked at don’t make a gateway ill. */
export function isHealthy(all: readonly Finding[]): boolean {
  return all.every(({ verdict }) => verdict !== 'problem');
}
