/** The outcome of a look at an agent. */
export interface AgentFinding {
  readonly verdict: 'ok' | 'warning' | 'problem' | 'unknown';
  readonly text: string;
  /** The advice for a person; null: there is none. */
  readonly mend: string | null;
  /** The words of a command to type for it, as the gateway's user. */
  readonly command?: readonly string[];
}
