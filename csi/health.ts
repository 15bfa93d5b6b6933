import { Fault } from '../proto/fault.ts';
import type { Service, Verb } from './verb.ts';
import type { Volumes } from './volumes.ts';

/** Messages of health.proto. */
interface HealthCheckRequest {
  readonly service: string;
}
interface HealthCheckResponse {
  readonly status: 'SERVING' | 'NOT_SERVING';
}
interface HealthListResponse {
  readonly statuses: Readonly<Record<string, HealthCheckResponse>>;
}

/**
 * grpc.health.v1.Health, for the services of csi.proto by their short names: SERVING while all pools are sound. There is no
 * Watch: UNIMPLEMENTED tells clients to ask again instead.
 */
export function createHealth(services: readonly string[], { pools }: Pick<Volumes, 'pools'>) {
  const names = ['', ...services.map((name) => `csi.v1.${name}`)];
  const answer = async (): Promise<HealthCheckResponse> => {
    const checks = await Promise.allSettled([...pools.values()].map((pool) => pool.requireSound()));
    return { status: checks.every(({ status }) => status === 'fulfilled') ? 'SERVING' : 'NOT_SERVING' };
  };
  const check: Verb<HealthCheckRequest, HealthCheckResponse> = ({ service }) => {
    if (!names.includes(service)) throw new Fault('not-found', `there is no service ${service} here`);
    return { run: answer };
  };
  const list: Verb<object, HealthListResponse> = () => ({
    async run() {
      const status = await answer();
      return { statuses: Object.fromEntries(names.map((name) => [name, status])) };
    },
  });
  return { Check: check, List: list } satisfies Service;
}
