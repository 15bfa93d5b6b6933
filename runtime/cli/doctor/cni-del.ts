import { Fault } from '../../../proto/fault.ts';
import { callCni } from './call-cni.ts';

/** What names an attachment, in a record's key as in a TAP's alias. */
export interface AttachmentKey {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
}

/** `<network>:<container id>:<interface>`; undefined for anything else. */
export function parseAttachmentKey(key: string): AttachmentKey | undefined {
  const [network, containerId, ifName, ...rest] = key.split(':');
  if (!network || !containerId || !ifName || rest.length > 0) return undefined;
  return { network, containerId, ifName };
}

/** The plugin's own DEL, by which everything of an attachment goes, and nothing else. */
export async function cniDel(
  plugin: string,
  { network, containerId, ifName }: AttachmentKey,
  { netnsPath, runDirectory }: { readonly netnsPath: string; readonly runDirectory: string },
): Promise<void> {
  const config = { cniVersion: '1.0.0', name: network, type: 'berth', runDir: runDirectory };
  const variables = {
    CNI_COMMAND: 'DEL',
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: ifName,
    CNI_NETNS: netnsPath,
  };
  const { refusal } = await callCni(plugin, variables, config);
  if (refusal !== undefined) throw new Fault('exec', `DEL of ${network}:${containerId}:${ifName}: ${refusal.message}`);
}
