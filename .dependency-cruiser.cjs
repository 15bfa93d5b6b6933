/** The rooms and what each may see. A forbidden import is a design decision made by accident. */
const NATIVE_ROOMS =
  '^(proto/|cni/|csi/host/|bench/launcher/|runtime/(system/(?!node/)|(plan|vmm|share|sandbox|shim|guest-client|guest)/))';
/** A contract is a test that several test files share. */
const TESTS = '\\.(test|native-test)\\.ts$|^csi/pool/contract(/|\\.ts$)';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'proto-stands-alone',
      comment: 'Contracts import nothing of ours: every other room imports them.',
      severity: 'error',
      from: { path: '^proto/', pathNot: TESTS },
      to: { path: '^(csi|cni|runtime|deploy|test|bench)/' },
    },
    {
      name: 'system-knows-only-proto',
      severity: 'error',
      from: { path: '^runtime/system/', pathNot: TESTS },
      to: { path: '^(csi|cni|deploy|test|bench|runtime/(?!system/))' },
    },
    {
      name: 'csi-meets-others-in-proto',
      severity: 'error',
      from: { path: '^csi/', pathNot: TESTS },
      to: { path: '^(cni|deploy|test|bench|runtime/(?!system/))' },
    },
    {
      name: 'cni-meets-others-in-proto',
      severity: 'error',
      from: { path: '^cni/', pathNot: TESTS },
      to: { path: '^(csi|deploy|test|bench|runtime/(?!system/))' },
    },
    {
      name: 'runtime-meets-csi-and-cni-in-proto',
      severity: 'error',
      from: { path: '^runtime/', pathNot: TESTS },
      to: { path: '^(csi|cni|test|bench)/' },
    },
    {
      name: 'guest-and-host-meet-in-proto',
      comment: 'PID 1 of the guest shares contracts and mechanics with the host, never its rooms.',
      severity: 'error',
      from: { path: '^runtime/guest/', pathNot: TESTS },
      to: { path: '^runtime/(?!system/|guest/)' },
    },
    {
      name: 'planner-is-pure',
      severity: 'error',
      from: { path: '^runtime/plan/', pathNot: TESTS },
      to: { path: '^runtime/(?!plan/|vmm/port)' },
    },
    {
      name: 'the-binary-has-no-node',
      comment: 'These rooms run in QuickJS: no Node built-ins, no packages but valibot.',
      severity: 'error',
      from: { path: NATIVE_ROOMS, pathNot: TESTS },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev'], pathNot: 'node_modules/valibot/' },
    },
    {
      name: 'only-the-binary-has-sys',
      severity: 'error',
      from: { path: '^(proto/|csi/(?!host/)|runtime/(system/node|cli)/)', pathNot: TESTS },
      to: { path: '^runtime/system/native/' },
    },
    {
      name: 'products-do-not-import-tests',
      severity: 'error',
      from: { path: '^(proto|csi|cni|runtime|deploy)/', pathNot: TESTS },
      to: { path: '^test/' },
    },
    {
      name: 'no-dev-packages-in-products',
      severity: 'error',
      from: { path: '^(proto|csi|cni|runtime)/', pathNot: TESTS },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
