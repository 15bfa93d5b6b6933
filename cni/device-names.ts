import { type IfName, parseIfName } from '../proto/ids.ts';

/** Of the TAP or macvtap of the interface with this index: unique in its namespace, and the same each time. */
export const tapName = (ifIndex: number): IfName => parseIfName(`berth${ifIndex}`);

/** Of the device that queues what comes in by that interface. */
export const ifbName = (ifIndex: number): IfName => parseIfName(`berth${ifIndex}-in`);
