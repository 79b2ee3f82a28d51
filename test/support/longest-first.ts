import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Small files whose tests take long, the longest first. Where nothing is known of an earlier run, as in CI, Vitest begins with
 * the largest files. It would leave these for the end, where one worker runs them and the others have nothing to do.
 */
const longest = [
  'test/machine/crash.test.ts',
  'test/machine/own-gateway.test.ts',
  'test/store/sqlite/contract.test.ts',
  'test/machine/descriptors.test.ts',
  'test/machine/npm-tarball.test.ts',
  'test/machine/silent-bus.test.ts',
  'test/agents/acp/real/qwen-code.test.ts',
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex((file) => moduleId.endsWith(file));
      return index === -1 ? longest.length : index;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
