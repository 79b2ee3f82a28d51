import type { Configuration } from '../../config/schema.js';
import type { ConfigurationKey } from '../../config/settings.js';
import { type ListenAddress, writtenAddress } from '../../config/values.js';
import { written, writtenConfiguration } from '../../config/written.js';
import { leftOut, type Redaction } from './redact.js';

/** A configuration without what only its operator knows: texts, addresses, words of commands, names of people. */
export function redactedConfiguration(configuration: Configuration, redaction: Redaction): string {
  return writtenConfiguration(configuration, {
    name: (table, name) => (name === 'default' ? name : redaction.label(table, name)),
    value: (value, key) => shown(value, key, redaction),
  });
}

function shown(value: unknown, key: ConfigurationKey, redaction: Redaction): string | null {
  if (key.unit === 'address') return addressShown(value as ListenAddress, redaction);
  if (key.unit !== null || key.form === 'number' || key.form === 'boolean') return written(value, key);
  if (key.choices?.includes(String(value)) === true) return written(value, key);
  if (JSON.stringify(value) === JSON.stringify(key.default ?? null)) return written(value, key);
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[] # ${value.length} left out`;
  if (typeof value !== 'string') return null;
  const text = value.startsWith('/') ? redaction.path(value) : redaction.text(value);
  return JSON.stringify(text);
}

function addressShown(listen: ListenAddress, redaction: Redaction): string {
  switch (listen.kind) {
    case 'systemd':
      return JSON.stringify(writtenAddress(listen));
    case 'unix':
      return JSON.stringify(`unix:${redaction.path(listen.path)}`);
    case 'tcp': {
      const isOwn = ['127.0.0.1', '::1', '0.0.0.0', '::', 'localhost'].includes(listen.host);
      return JSON.stringify(isOwn ? writtenAddress(listen) : `${leftOut}:${listen.port}`);
    }
  }
}
