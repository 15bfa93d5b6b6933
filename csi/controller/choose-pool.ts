import { Fault } from '../../proto/fault.ts';
import type { Pool } from '../pool/port.ts';
import { invalid } from '../validate.ts';

/**
 * The pool that a class names, or the only one. `exhausted` where this node has no pool of the name: another node may,
 * and external-provisioner then asks the scheduler for it (CSI 1.12, "CreateVolume Errors": topology).
 */
export function choosePool(pools: ReadonlyMap<string, Pool>, wanted: string | undefined): Pool {
  const names = [...pools.keys()].join(', ');
  if (wanted !== undefined) {
    const pool = pools.get(wanted);
    if (pool !== undefined) return pool;
    const message = `parameters["pool"] is ${wanted}, but this node has ${names}`;
    throw new Fault('exhausted', message, { fields: { field: 'parameters["pool"]' } });
  }
  const [only, ...others] = pools.values();
  if (only === undefined || others.length > 0) {
    throw invalid('parameters["pool"]', `is required, as this node has several pools: ${names}`);
  }
  return only;
}
