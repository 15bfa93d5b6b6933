import { comparePods, type Pod, type PodState, type Subject } from './subject.ts';

const settled = new WeakSet<Subject>();

/**
 * What `act` has changed of the network and of files, a line each, after what `act` itself finds wrong. A plugin may
 * keep what all attachments share (a bridge, base chains, forwarding): another pod is attached and detached before the
 * look.
 */
export async function compareWithSettled(
  subject: Subject,
  pod: Pod,
  act: () => Promise<readonly string[]>,
): Promise<string[]> {
  await settle(subject);
  const before = await pod.state();
  const problems = await act();
  return [...problems, ...comparePods(before, await pod.state())];
}

export async function settle(subject: Subject): Promise<void> {
  if (settled.has(subject)) return;
  settled.add(subject);
  const first = await subject.addPod();
  await first.call('ADD');
  await first.call('DEL');
}

/** What came to the node and to files since `before`, for a pod whose namespace is deleted. */
export async function findLeftOnNode(pod: Pod, before: PodState): Promise<string[]> {
  return comparePods(before, await pod.state()).filter((line) => line.includes(': + '));
}
