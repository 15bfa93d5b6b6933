import type { Log } from '../runtime/system/log.ts';
import type { Files } from '../runtime/system/port.ts';
import type { NetworkConfig } from './network-config.ts';

/** What every verb works with. */
export interface Place {
  readonly files: Files;
  readonly log: Log;
  readonly config: NetworkConfig;
}
