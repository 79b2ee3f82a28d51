import { z } from 'zod';
import { absolutePath } from './values.js';

/** The keys of a channel's secret, with their descriptions. */
export function secretKeys(ofFile: string, ofCredential: string) {
  return {
    token_file: absolutePath.nullable().default(null).register(z.globalRegistry, { description: ofFile }),
    token_credential: z
      .string()
      .regex(/^(?!\.{1,2}$)[\w.@-]{1,255}$/, 'must be the name of a credential of the unit (LoadCredential=)')
      .nullable()
      .default(null)
      .register(z.globalRegistry, { description: ofCredential }),
  };
}
