import { z } from 'zod';
import { absolutePathSuchAs } from './values.js';

/** The keys of a channel's secret, with their descriptions. */
export function secretKeys(ofFile: string, ofCredential: string) {
  return { token_file: secretFile(ofFile), token_credential: secretCredential(ofCredential) };
}

/** A key that names the file with a secret. */
export function secretFile(description: string) {
  return absolutePathSuchAs('/etc/sd-gateway/channel.token')
    .nullable()
    .default(null)
    .register(z.globalRegistry, { description });
}

/** A key that names the credential with a secret, in the place of a file. */
export function secretCredential(description: string) {
  return z
    .string()
    .regex(/^(?!\.{1,2}$)[\w.@-]{1,255}$/, 'must be the name of a credential of the unit (LoadCredential=)')
    .nullable()
    .default(null)
    .register(z.globalRegistry, { description });
}

/** Refuses a table that has neither the file NAME_file nor the credential NAME_credential, if it needs that secret. */
export function needsSecret<Table extends Readonly<Record<string, unknown>>>(
  name: string,
  what: string,
  isNeeded: (table: Table) => boolean = () => true,
) {
  return (table: Table, context: z.RefinementCtx) => {
    const isNamed = [`${name}_file`, `${name}_credential`].some((key) => table[key] !== null);
    if (isNamed || !isNeeded(table)) return;
    const message = `must name the file with ${what}, or set ${name}_credential`;
    context.addIssue({ code: 'custom', path: [`${name}_file`], message });
  };
}
