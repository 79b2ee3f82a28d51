import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { errorMessage } from '../../text/failure-text.js';

/** Options of tls.connect. The server's certificate is always verified. */
export function tlsOptions(ca: string | null): ConnectionOptions {
  return { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca === null ? {} : { ca }) };
}

/** Reads certificates of authorities in PEM. Throws an error that names the setting. */
export function readCertificates(path: string, setting: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`the certificates ${path} (${setting}) can’t be read: ${errorMessage(error)}`, {
      cause: error,
    });
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new Error(`the file ${path} (${setting}) has no certificate in PEM`);
  }
  return text;
}
