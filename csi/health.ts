import { Fault } from '../proto/fault.ts';
import { constant, type Service, type Verb } from './verb.ts';

/** Messages of health.proto. */
interface HealthCheckRequest {
  readonly service: string;
}
interface HealthCheckResponse {
  readonly status: 'SERVING';
}
interface HealthListResponse {
  readonly statuses: Readonly<Record<string, HealthCheckResponse>>;
}

const SERVING: HealthCheckResponse = { status: 'SERVING' };

/**
 * grpc.health.v1.Health, for the services of csi.proto by their short names. The server listens only while its pools are
 * open: whoever is answered is told SERVING. That can never change during a call, so there is no Watch: UNIMPLEMENTED
 * tells clients to go without it.
 */
export function createHealth(services: readonly string[]) {
  const statuses = Object.fromEntries(['', ...services.map((name) => `csi.v1.${name}`)].map((name) => [name, SERVING]));
  const check: Verb<HealthCheckRequest, HealthCheckResponse> = ({ service }) => {
    if (!Object.hasOwn(statuses, service)) throw new Fault('not-found', `there is no service ${service} here`);
    return { run: async () => SERVING };
  };
  return { Check: check, List: constant<HealthListResponse>({ statuses }) } satisfies Service;
}
