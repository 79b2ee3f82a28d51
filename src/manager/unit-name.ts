/** The service unit of an instance; null: the one without a name. */
export function unitName(instance: string | null): string {
  return instance === null ? 'sd-gateway.service' : `sd-gateway-${instance}.service`;
}
