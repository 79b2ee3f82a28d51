import type { JsonValue, Metadata } from '../../messages.js';

export function parseMetadata(json: string): Metadata {
  return JSON.parse(json);
}

export function parseJson(json: string): JsonValue {
  return JSON.parse(json);
}
