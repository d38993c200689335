// The arrows of the house: api, workflows, activities -> livekit, capacity -> recording, fleet. See docs/architecture.md.
const nodeBuiltIns = ['core'];
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      comment:
        'recording/ and fleet/ are plain data and functions: no I/O, no Node built-in, no Temporal, nothing of the other rooms',
      severity: 'error',
      from: { path: '^src/(recording|fleet)/' },
      to: { pathNot: ['^src/(recording|fleet|common)/', 'node_modules/zod/'] },
    },
    {
      name: 'common-is-pure',
      comment: 'helpers that workflows may use, too: they import nothing at all',
      severity: 'error',
      from: { path: '^src/common/' },
      to: { pathNot: '^src/common/' },
    },
    {
      name: 'workflows-see-only-types-of-activities',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: { path: '^src/(activities|livekit|capacity|api|dev|cli)/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'workflows-are-deterministic',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: { dependencyTypes: nodeBuiltIns },
    },
    {
      name: 'livekit-and-capacity-know-no-temporal',
      severity: 'error',
      from: { path: '^src/(livekit|capacity)/' },
      to: { path: ['^src/(api|workflows|activities|dev|cli)/', 'node_modules/@temporalio/'] },
    },
    {
      name: 'media-knows-files-only',
      comment:
        'media/ runs ffmpeg on local files: Node built-ins and common/, nothing else of the house and no package',
      severity: 'error',
      from: { path: '^src/media/' },
      to: { pathNot: '^src/(media|common)/', dependencyTypesNot: nodeBuiltIns },
    },
    {
      name: 'activities-know-no-api',
      severity: 'error',
      from: { path: '^src/activities/' },
      to: { path: '^src/(api|dev|cli)/' },
    },
    {
      name: 'api-knows-no-activities',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: '^src/(cli|activities)/' },
    },
    {
      name: 'the-image-has-no-demo',
      comment: 'tsconfig.build.json leaves these out, and so do the packages that only they use',
      severity: 'error',
      from: { pathNot: '^src/(checkout.ts|cli/(demo|dev).ts|demo/|dev/)' },
      to: { path: '^src/(checkout.ts|cli/(demo|dev).ts|demo/|dev/)' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
