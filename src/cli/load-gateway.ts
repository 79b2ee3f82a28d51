import type * as gateway from '../gateway/run.js';

export interface LoadedGateway {
  readonly runGateway: typeof gateway.runGateway;
  /**
   * Keeps what was compiled so far, for the next start; null where it can’t be kept. Throws what the file system
   * says. Takes some 20 ms.
   */
  readonly keepCompiled: (() => void) | null;
}

/** The program that is shipped has load-bundled-gateway.ts in the place of this module (rolldown.config.ts). */
export async function loadGateway(): Promise<LoadedGateway> {
  const { runGateway } = await import('../gateway/run.js');
  return { runGateway, keepCompiled: null };
}
