import type { HttpEndpoint } from '../channels/http/listen.js';
import type { ListenAddress } from '../config/values.js';
import { listenFds, type PassedDescriptor } from '../systemd/listen-fds.js';
import { RefusedStart } from './failed-start.js';

/**
 * Where the HTTP server listens: on the sockets that systemd passed, and without any on the configured address.
 * `passed` are those of sd_listen_fds(3).
 */
export function chooseEndpoints(
  listen: ListenAddress,
  passed: readonly PassedDescriptor[],
): readonly HttpEndpoint[] {
  const name = listen.kind === 'systemd' ? listen.name : null;
  const chosen = name === null ? passed : passed.filter((descriptor) => descriptor.name === name);
  if (chosen.length > 0) {
    return chosen.map((descriptor) => ({
      kind: 'descriptor',
      descriptor: descriptor.fd,
      name: descriptor.name,
    }));
  }
  if (listen.kind !== 'systemd') return [listen];
  const wanted = name === null ? 'a socket' : `a socket with FileDescriptorName=${name}`;
  const got =
    passed.length === 0
      ? 'passed none'
      : `passed only: ${passed.map((descriptor) => descriptor.name).join(', ')}`;
  throw new RefusedStart(
    `http.listen asks for ${wanted} from systemd, which ${got}. Start the gateway through its socket unit, or set http.listen to an address.`,
  );
}

/** The endpoints of this process. Throws a SystemCallError when the announced descriptors aren't there. */
export function endpoints(listen: ListenAddress): readonly HttpEndpoint[] {
  return chooseEndpoints(listen, listenFds());
}
