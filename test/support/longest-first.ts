import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of minutes whatever their size, so that none of them is the last to begin, with nothing left to run beside it. */
const LONGEST = [
  'test/conformance/cni-reference.test.ts',
  'test/crash/shim-failpoints.test.ts',
  'test/vm/soak.test.ts',
];

/** In each layer the longest first. Of the others vitest knows how long they took the last time, or how large they are. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLongest = ({ moduleId }: TestSpecification): boolean =>
      LONGEST.includes(relative(this.ctx.config.root, moduleId));
    const sorted = await super.sort(files);
    return sorted.toSorted(
      (one, other) => orderOf(one) - orderOf(other) || Number(isLongest(other)) - Number(isLongest(one)),
    );
  }
}

const orderOf = ({ project }: TestSpecification): number => project.config.sequence.groupOrder;
