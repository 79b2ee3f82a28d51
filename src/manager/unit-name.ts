/** The service unit of an instance; null: the one without a name. */
export function unitName(instance: string | null): string {
  return instance === null ? 'sd-gateway.service' : `sd-gateway-${instance}.service`;
}

/** The units that may run the instance: its own, or an instance of the package's template. */
export function unitNames(instance: string | null): readonly string[] {
  return instance === null ? [unitName(null)] : [unitName(instance), `sd-gateway@${instance}.service`];
}
