/**
 * What the doctor found. `ok` works; `note` is a limit that an operator may want to know of; `missing` keeps pods, volumes
 * or networks from working; `orphan` was left by something that died.
 */
export interface Finding {
  readonly area: 'kernel' | 'vmm' | 'guest' | 'pool' | 'cni' | 'pods' | 'volumes' | 'networks' | 'records';
  readonly status: 'ok' | 'note' | 'missing' | 'orphan' | 'repaired';
  /** A sentence that names the thing, and why. */
  readonly what: string;
  /** A command, or what to do where there is none. */
  readonly mend?: string;
  /** Only for what can be proved to harm nothing, whatever else goes on: see `proof`. */
  readonly repair?: Repair;
}

export interface Repair {
  /** Why nothing can be lost, for a person to check. */
  readonly proof: string;
  /** Fault if it did not work out. Idempotent. */
  apply(): Promise<void>;
}

export const isTrouble = ({ status }: Finding): boolean => status === 'missing' || status === 'orphan';
