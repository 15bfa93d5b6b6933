import { describeError } from '../proto/fault.ts';
import type { VolumeId } from '../proto/ids.ts';
import { mapConcurrently } from './map-concurrently.ts';
import type { FoundVolume } from './volumes.ts';
import { toWireText } from './wire-text.ts';

/** How long what was read of a volume answers for it: a listing of thousands must not read as many files each time. */
const MAX_AGE_MS = 30_000;
/** kubelet asks for a volume's statistics once a minute; what the guest said then holds until it has been asked again. */
const MAX_NOTE_AGE_MS = 120_000;
/** Files that are read together. */
const CONCURRENCY = 16;
/** A sentence or two. The words may be a guest's, of which one must not fill the listing of all volumes. */
const MAX_PROBLEM_LENGTH = 1000;

interface Known {
  /** Empty: none. */
  readonly problem: string;
  readonly atMs: number;
}

/**
 * What is wrong with volumes. The guest's word is the truth while there is one; without, the last guest's (fs.json).
 * `now` is monotonic, in milliseconds.
 */
export class VolumeConditions {
  private readonly now: () => number;
  private readonly noted = new Map<VolumeId, Known>();
  private readonly read = new Map<VolumeId, Known>();
  private readonly reading = new Map<VolumeId, Promise<string>>();

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** What the guest said when it was asked; empty if all is well. */
  note(volumeId: VolumeId, problem: string): void {
    this.noted.set(volumeId, { problem: toProblem(problem), atMs: this.now() });
  }

  forget(volumeId: VolumeId): void {
    this.noted.delete(volumeId);
    this.read.delete(volumeId);
  }

  /** The problem of a volume, in a sentence; empty if none is known. Looks at the disk and fs.json, unless a guest has said. */
  async problemOf(volume: FoundVolume): Promise<string> {
    const noted = this.fresh(this.noted, volume.spec.volumeId, MAX_NOTE_AGE_MS);
    if (noted !== undefined && noted.problem !== '') return noted.problem;
    const problem = toProblem(await readProblem(volume));
    this.read.set(volume.spec.volumeId, { problem, atMs: this.now() });
    return problem;
  }

  /** As problemOf, of many: what was read a moment ago, or is being read for another listing, is not read again. */
  async problemsOf(volumes: readonly FoundVolume[]): Promise<string[]> {
    const known = volumes.map(({ spec }) => this.knownOf(spec.volumeId));
    const unknown = volumes.filter((_, index) => known[index] === undefined);
    const read = await mapConcurrently(unknown, CONCURRENCY, (volume) => this.readOnce(volume));
    return known.map((problem) => problem ?? read.shift() ?? '');
  }

  private knownOf(volumeId: VolumeId): string | undefined {
    const noted = this.fresh(this.noted, volumeId, MAX_NOTE_AGE_MS);
    return noted?.problem || this.fresh(this.read, volumeId, MAX_AGE_MS)?.problem;
  }

  private readOnce(volume: FoundVolume): Promise<string> {
    const { volumeId } = volume.spec;
    const running = this.reading.get(volumeId) ?? this.problemOf(volume).finally(() => this.reading.delete(volumeId));
    this.reading.set(volumeId, running);
    return running;
  }

  private fresh(known: ReadonlyMap<VolumeId, Known>, volumeId: VolumeId, maxAgeMs: number): Known | undefined {
    const found = known.get(volumeId);
    return found !== undefined && this.now() - found.atMs < maxAgeMs ? found : undefined;
  }
}

const toProblem = (words: string): string => toWireText(words, MAX_PROBLEM_LENGTH);

/** What cannot be read is the volume's problem, and no reason to leave out the others. */
async function readProblem({ pool, spec: { volumeId } }: FoundVolume): Promise<string> {
  try {
    const [ofDisk, { problem = '' }] = await Promise.all([pool.problemOf(volumeId), pool.filesystemOf(volumeId)]);
    return [ofDisk, problem].filter((words) => words !== '').join('; ');
  } catch (error) {
    return `the state of the volume cannot be read: ${describeError(error)}`;
  }
}
