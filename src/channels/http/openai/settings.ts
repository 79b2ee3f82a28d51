/** Settings of the OpenAI-compatible API. May change with a reload. */
export interface OpenAiSettings {
  readonly isEnabled: boolean;
  /** Headers that name the session of a request. */
  readonly sessionHeaders: readonly string[];
  /** The same for chat programs, which send the whole conversation with each request. */
  readonly chatHeaders: readonly string[];
  /** Time that a session without a name is kept after its last turn, in milliseconds. */
  readonly expireMs: number;
  /** Largest body, in bytes. */
  readonly bodyLimitBytes: number;
}
