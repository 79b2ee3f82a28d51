/** Names what most often stands between a machine and a platform. Goes behind the reason of a call that has failed. */
export function reachAdvice(
  reason: string,
  root: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (/certificate/.test(reason)) {
    return `. If ${new URL(root).host} has a certificate of your own CA, NODE_EXTRA_CA_CERTS names the file of the CA, here and in the unit's environment file`;
  }
  const proxy = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'].find((each) => environment[each]);
  if (proxy !== undefined) {
    return `. ${proxy} is set, and the gateway uses no proxy: it has to reach ${root} by itself`;
  }
  return `. The gateway has to reach ${root}`;
}
